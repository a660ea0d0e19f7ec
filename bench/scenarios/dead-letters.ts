import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createConnector } from "../connect.ts";
import { lineOf, writeLines } from "../lines.ts";
import { measureRate } from "../rate.ts";
import type { Scenario } from "../scenario.ts";
import { startSide } from "../side.ts";
import { fillTopic } from "./file-sink.ts";
import { scaled } from "./records.ts";

const BYTES = 100;

/** Every other record is no JSON: it goes to the dead letter queue with its context headers, the rest into a file. */
export function deadLetters(name: string, count: number): Scenario {
  return {
    name,
    quick: false,
    sides: ["headrace", "jvm"],
    async prepare(bench) {
      const total = 2 * scaled(bench, count / 2);
      const input = join(bench.dir, `${name}.txt`);
      // Not even its head is JSON: Apache's converter reads a number and overlooks what follows.
      const line = (index: number) =>
        index % 2 === 0 ? `"${lineOf(index, BYTES - 2)}"` : `x${lineOf(index, BYTES - 1)}`;
      await writeLines(input, total, BYTES, line);
      const topic = bench.name(`${name}-records`);
      await fillTopic(bench, { topic, file: input, count: total });
      return async (side) => {
        const group = bench.name(name);
        const [output, letters] = [join(bench.dir, `${group}.out`), `${group}-letters`];
        await bench.topics.create(letters);
        const worker = await startSide(side, { dir: bench.dir, bootstrap: bench.bootstrap, group });
        try {
          await createConnector(worker.url, group, {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "tasks.max": "1",
            topics: topic,
            file: output,
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": letters,
            "errors.deadletterqueue.topic.replication.factor": "1",
            "errors.deadletterqueue.context.headers.enable": "true",
          });
          const written = () => (statSync(output, { throwIfNoEntry: false })?.size ?? 0) / (BYTES - 2 + 1);
          const progress = async () => written() + (await bench.topics.count(letters));
          const measured = await measureRate({ pid: worker.pid, total, progress });
          const good = Array.from({ length: total / 2 }, (_, index) => `${lineOf(2 * index, BYTES - 2)}\n`).join("");
          if (readFileSync(output, "utf8") !== good) throw new Error("the file has other lines");
          const refused = await bench.topics.count(letters);
          if (refused !== total / 2) throw new Error(`${refused} dead letters instead of ${total / 2}`);
          return measured;
        } finally {
          await worker.stop();
        }
      };
    },
  };
}
