import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createConnector, deleteConnector, listTasks, waitForTasks } from "../connect.ts";
import type { Scenario } from "../scenario.ts";
import { startSide } from "../side.ts";
import { spreadOf } from "../statistics.ts";

const ROUNDS = 10;
const LOOK_MS = 5;
const LIMIT_MS = 60_000;

/** From the sending of a record that a sink task cannot read until REST shows the task as FAILED. */
export const statusLatency: Scenario = {
  name: "status-latency",
  quick: false,
  sides: ["headrace", "jvm"],
  maxRuns: 1,
  async prepare(bench) {
    return async (side) => {
      const group = bench.name("status-latency");
      const worker = await startSide(side, { dir: bench.dir, bootstrap: bench.bootstrap, group });
      const producer = await bench.topics.openProducer();
      const times: number[] = [];
      try {
        for (let round = 0; round < ROUNDS; round += 1) {
          const topic = `${group}-${round}`;
          await bench.topics.create(topic);
          await createConnector(worker.url, topic, {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "tasks.max": "1",
            topics: topic,
            file: join(bench.dir, `${topic}.out`),
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
          });
          await waitForTasks(worker.url, 1, LIMIT_MS);
          const sentAt = performance.now();
          await producer.send({ topic, messages: [{ value: "no JSON" }] });
          for (;;) {
            if ((await listTasks(worker.url))?.[0]?.state === "FAILED") break;
            if (performance.now() - sentAt > LIMIT_MS) throw new Error("the task did not fail");
            await sleep(LOOK_MS);
          }
          times.push(performance.now() - sentAt);
          await deleteConnector(worker.url, topic);
          await waitForTasks(worker.url, 0, LIMIT_MS);
        }
        return { failureShownMs: spreadOf(times).median };
      } finally {
        await producer.disconnect();
        await worker.stop();
      }
    };
  },
};
