import { join } from "node:path";
import { createConnector } from "../connect.ts";
import { writeLines } from "../lines.ts";
import { measureRate } from "../rate.ts";
import type { Scenario } from "../scenario.ts";
import { startSide, TUNED_SOURCE } from "../side.ts";

/** One file source task reads `count` lines of `bytes` bytes into a topic with one partition. */
export function fileSource(options: {
  readonly name: string;
  readonly count: number;
  readonly bytes: number;
  readonly quick: boolean;
  /** Added to the connector's configuration. */
  readonly config?: Readonly<Record<string, string>>;
  /** Whether the topic holds the lines as they are, so that they can be compared. Default: true. */
  readonly verbatim?: boolean;
}): Scenario {
  const { name, count, bytes, quick, config = {}, verbatim = true } = options;
  return {
    name,
    quick,
    sides: ["headrace", "jvm", "jvm-tuned"],
    async prepare(bench) {
      const file = join(bench.dir, `${name}.txt`);
      const expected = await writeLines(file, count, bytes);
      return async (side) => {
        const group = bench.name(name);
        await bench.topics.create(group);
        const worker = await startSide(side, { dir: bench.dir, bootstrap: bench.bootstrap, group });
        try {
          await createConnector(worker.url, "source", {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "tasks.max": "1",
            topic: group,
            file,
            ...(side === "jvm-tuned" && TUNED_SOURCE),
            ...config,
          });
          const progress = () => bench.topics.count(group);
          const measured = await measureRate({ pid: worker.pid, total: count, progress });
          if (verbatim && (await bench.topics.hash(group)) !== expected) throw new Error("the topic has other records");
          return measured;
        } finally {
          await worker.stop();
        }
      };
    },
  };
}
