import { join } from "node:path";
import { createConnector } from "../connect.ts";
import { writeLines } from "../lines.ts";
import { measureRate } from "../rate.ts";
import type { Scenario } from "../scenario.ts";
import { type SideName, startSide, TUNED_SOURCE } from "../side.ts";
import { scaled } from "./records.ts";

/** File source tasks read `count` lines of `bytes` bytes in all into topics with one partition, one each. */
export function fileSource(options: {
  readonly name: string;
  readonly count: number;
  readonly bytes: number;
  readonly quick: boolean;
  /** Default: all three. */
  readonly sides?: readonly SideName[];
  /** Connectors of one task each, which share the lines. Default: 1. */
  readonly connectors?: number;
  /** Added to the connectors' configuration. */
  readonly config?: Readonly<Record<string, string>>;
  /** Of the worker. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Whether the topics hold the lines as they are. Default: true; otherwise all sides must write the same. */
  readonly verbatim?: boolean;
}): Scenario {
  const { name, bytes, quick, config = {}, properties = {}, connectors = 1, verbatim = true } = options;
  return {
    name,
    quick,
    sides: options.sides ?? ["headrace", "jvm", "jvm-tuned"],
    async prepare(bench) {
      const file = join(bench.dir, `${name}.txt`);
      const each = scaled(bench, options.count / connectors);
      const written = await writeLines(file, each, bytes);
      let expected = verbatim ? written : null;
      return async (side) => {
        const group = bench.name(name);
        const topics = Array.from({ length: connectors }, (_, index) => `${group}-${index}`);
        for (const topic of topics) await bench.topics.create(topic);
        const worker = await startSide(side, { dir: bench.dir, bootstrap: bench.bootstrap, group, properties });
        try {
          const create = (topic: string) =>
            createConnector(worker.url, topic, {
              "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
              "tasks.max": "1",
              topic,
              file,
              ...(side === "jvm-tuned" && TUNED_SOURCE),
              ...config,
            });
          const progress = async () => {
            const counts = await Promise.all(topics.map((topic) => bench.topics.count(topic)));
            return counts.reduce((sum, count) => sum + count, 0);
          };
          const creating = Promise.all(topics.map(create));
          creating.catch(() => {}); // Awaited below.
          const measured = await measureRate({ pid: worker.pid, total: each * connectors, progress });
          await creating;
          for (const topic of topics) {
            const hash = await bench.topics.hash(topic, each);
            expected ??= hash;
            if (hash !== expected) throw new Error(`${topic} has other records`);
          }
          return measured;
        } finally {
          await worker.stop();
        }
      };
    },
  };
}
