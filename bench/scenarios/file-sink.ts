import { statSync } from "node:fs";
import { join } from "node:path";
import { createConnector } from "../connect.ts";
import { hashFile, writeLines } from "../lines.ts";
import { measureRate } from "../rate.ts";
import type { Bench, Scenario } from "../scenario.ts";
import { startSide } from "../side.ts";
import { scaled } from "./records.ts";

/** One file sink task writes a topic with one partition, `count` records of `bytes` bytes, into a file. */
export function fileSink(options: {
  readonly name: string;
  readonly count: number;
  readonly bytes: number;
  readonly quick: boolean;
  /** Added to the configuration of the source that fills the topic, and of the sink that makes the lines of it again. */
  readonly fill?: Readonly<Record<string, string>>;
  readonly config?: Readonly<Record<string, string>>;
}): Scenario {
  const { name, bytes, quick, fill = {}, config = {} } = options;
  return {
    name,
    quick,
    sides: ["headrace", "jvm"],
    async prepare(bench) {
      const count = scaled(bench, options.count);
      const input = join(bench.dir, `${name}.txt`);
      const expected = await writeLines(input, count, bytes);
      const topic = bench.name(`${name}-records`);
      await fillTopic(bench, { topic, file: input, count, config: fill });
      return async (side) => {
        const group = bench.name(name);
        const output = join(bench.dir, `${group}.out`);
        const worker = await startSide(side, { dir: bench.dir, bootstrap: bench.bootstrap, group });
        try {
          await createConnector(worker.url, group, {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "tasks.max": "1",
            topics: topic,
            file: output,
            ...config,
          });
          const progress = () => (statSync(output, { throwIfNoEntry: false })?.size ?? 0) / (bytes + 1);
          const measured = await measureRate({ pid: worker.pid, total: count, progress });
          if ((await hashFile(output)) !== expected) throw new Error("the file has other lines");
          return measured;
        } finally {
          await worker.stop();
        }
      };
    },
  };
}

/** Creates a topic with one partition and lets a source write the `count` lines of a file into it. */
export async function fillTopic(
  bench: Bench,
  options: {
    readonly topic: string;
    readonly file: string;
    readonly count: number;
    readonly config?: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const { topic, file, count, config = {} } = options;
  await bench.topics.create(topic);
  const { dir, bootstrap } = bench;
  const filler = await startSide("headrace", { dir, bootstrap, group: bench.name("fill") });
  try {
    await createConnector(filler.url, "fill", { "connector.class": "FileStreamSource", topic, file, ...config });
    await measureRate({ pid: filler.pid, total: count, progress: () => bench.topics.count(topic) });
  } finally {
    await filler.stop();
  }
}
