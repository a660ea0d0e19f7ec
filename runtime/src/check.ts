import { checkKafka } from "./check-kafka.ts";
import type { LoadedConfig } from "./config.ts";
import { createWorkerExecutors, createWorkerInventory } from "./executors.ts";
import { type Finding, find } from "./finding.ts";
import { createCatalog } from "./herder/catalog.ts";
import type { Logger } from "./log.ts";

/** Tries what a worker needs: plugins, Kafka, its three topics (created if they are missing). The configuration is valid already. */
export async function checkWorker(
  options: Pick<LoadedConfig, "config" | "properties"> & { readonly execArgv: readonly string[]; readonly log: Logger },
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const { config } = options;
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
  try {
    const scanned = await find("plugin.path", (limit) => inventory.scan(limit), signal);
    const packages = [
      ...inventory.packages().map(({ name, version }) => ({ what: `package ${name} ${version}`, problem: null })),
      ...inventory.broken().map(({ directory, problem }) => ({ what: `package in ${directory}`, problem })),
    ];
    const plugins = await find(
      "plugins",
      async (limit) => {
        const known = createCatalog(await pool.plugins(limit));
        for (const key of ["key.converter", "value.converter", "header.converter"] as const) {
          const name = config[key];
          if (known.find(name) === null) throw new Error(`${key} ${name} is not among the plugins`);
        }
      },
      signal,
    );
    const found = [...(scanned.problem === null ? [] : [scanned]), ...packages, plugins];
    return [...found, ...(await checkKafka(options, signal))];
  } finally {
    await pool.close();
  }
}
