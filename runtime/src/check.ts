import type { LoadedConfig } from "./config.ts";
import { createWorkerExecutors, createWorkerInventory } from "./executors.ts";
import { createCatalog } from "./herder/catalog.ts";
import { internalTopics } from "./internal-topics.ts";
import { workerClientConfig } from "./kafka/client-config.ts";
import { ensureInternalTopic } from "./kafka/internal-topic.ts";
import { createTopicAdmin } from "./kafka/topic-admin.ts";
import type { Logger } from "./log.ts";

/** One thing that was looked at. */
export interface Finding {
  readonly what: string;
  /** null: all is well. */
  readonly problem: string | null;
}

const STEP_TIMEOUT_MS = 30_000;

/** Tries what a worker needs: plugins, Kafka, its three topics (created if they are missing). The configuration is valid already. */
export async function checkWorker(
  options: Pick<LoadedConfig, "config" | "properties"> & { readonly execArgv: readonly string[]; readonly log: Logger },
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { config, properties, log } = options;
  const step = async (what: string, attempt: (limit: AbortSignal) => Promise<unknown>): Promise<Finding> => {
    try {
      await attempt(AbortSignal.any([signal, AbortSignal.timeout(STEP_TIMEOUT_MS)]));
      return { what, problem: null };
    } catch (error) {
      return { what, problem: error instanceof Error ? error.message : String(error) };
    }
  };

  const unavailable = () => {
    throw new Error("nothing runs during a check");
  };
  const inventory = createWorkerInventory({ ...options, onChange: () => {} });
  const pool = createWorkerExecutors({
    ...options,
    workerId: "check",
    clusterId: () => "",
    packages: () => inventory.packages(),
    handlers: {
      readOffsets: unavailable,
      writeOffsets: unavailable,
      offsetKeys: unavailable,
      fenceZombies: unavailable,
      isCurrentTask: unavailable,
    },
    onNotice: () => {},
    onLost: () => {},
  });
  const admin = createTopicAdmin(workerClientConfig(properties, "shared-admin").settings, log);
  try {
    const scanned = await step("plugin.path", (limit) => inventory.scan(limit));
    const packages = [
      ...inventory.packages().map(({ name, version }) => ({ what: `package ${name} ${version}`, problem: null })),
      ...inventory.broken().map(({ directory, problem }) => ({ what: `package in ${directory}`, problem })),
    ];
    const plugins = await step("plugins", async (limit) => {
      const known = createCatalog(await pool.plugins(limit));
      for (const key of ["key.converter", "value.converter", "header.converter"] as const) {
        const name = config[key];
        if (known.find(name) === null) throw new Error(`${key} ${name} is not among the plugins`);
      }
    });
    const found = [...(scanned.problem === null ? [] : [scanned]), ...packages, plugins];
    const kafka = await step(`Kafka at ${config["bootstrap.servers"]}`, (limit) => admin.clusterId(limit));
    if (kafka.problem !== null) return [...found, kafka];
    const topics = Object.values(internalTopics(config, properties));
    const checked = topics.map((topic) =>
      step(`topic ${topic.topic}`, (limit) => ensureInternalTopic(admin, topic, log, limit)),
    );
    return [...found, kafka, ...(await Promise.all(checked))];
  } finally {
    admin.close();
    await pool.close();
  }
}
