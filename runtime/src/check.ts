import type { LoadedConfig } from "./config.ts";
import { createWorkerExecutors } from "./executors.ts";
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
  options: LoadedConfig & { readonly execArgv: readonly string[]; readonly log: Logger },
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
  const pool = createWorkerExecutors({
    ...options,
    workerId: "check",
    clusterId: () => "",
    handlers: { readOffsets: unavailable, writeOffsets: unavailable },
    onNotice: () => {},
    onLost: () => {},
  });
  const admin = createTopicAdmin(workerClientConfig(properties, "shared-admin").settings, log);
  try {
    const plugins = await step("plugins", (limit) => pool.plugins(limit));
    const kafka = await step(`Kafka at ${config["bootstrap.servers"]}`, (limit) => admin.clusterId(limit));
    if (kafka.problem !== null) return [plugins, kafka];
    const topics = Object.values(internalTopics(config, properties));
    const checked = topics.map((topic) =>
      step(`topic ${topic.topic}`, (limit) => ensureInternalTopic(admin, topic, log, limit)),
    );
    return [plugins, kafka, ...(await Promise.all(checked))];
  } finally {
    admin.close();
    await pool.close();
  }
}
