import { statSync } from "node:fs";
import { join } from "node:path";
import { createConnector } from "../connect.ts";
import { hashFile, writeLines } from "../lines.ts";
import { measureRate } from "../rate.ts";
import type { Scenario } from "../scenario.ts";
import { startSide } from "../side.ts";

/** One file sink task writes a topic with one partition, `count` records of `bytes` bytes, into a file. */
export function fileSink(options: {
  readonly name: string;
  readonly count: number;
  readonly bytes: number;
  readonly quick: boolean;
}): Scenario {
  const { name, count, bytes, quick } = options;
  return {
    name,
    quick,
    sides: ["headrace", "jvm"],
    async prepare(bench) {
      const input = join(bench.dir, `${name}.txt`);
      const expected = await writeLines(input, count, bytes);
      const topic = bench.name(`${name}-records`);
      await bench.topics.create(topic);
      const filler = await startSide("headrace", {
        dir: bench.dir,
        bootstrap: bench.bootstrap,
        group: bench.name("fill"),
      });
      await createConnector(filler.url, "fill", { "connector.class": "FileStreamSource", topic, file: input });
      await measureRate({ pid: filler.pid, total: count, progress: () => bench.topics.count(topic) });
      await filler.stop();
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
