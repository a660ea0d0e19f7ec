import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createConnector } from "../connect.ts";
import type { Bench, Measurement, Scenario } from "../scenario.ts";
import { type SideName, startSide } from "../side.ts";
import { usageOf } from "../usage.ts";

/** What a worker needs when it has nothing to do is looked at after this time: executors without work end after a minute. */
const IDLE_MS = 75_000;
const RECORD_LIMIT_MS = 60_000;
const LOOK_MS = 10;

/**
 * From the start of a worker's process to its first answer over REST, and in the first run its memory when it is idle; then its start with
 * a connector that is configured already, to that connector's first record in Kafka.
 */
export const start: Scenario = {
  name: "start",
  quick: true,
  sides: ["headrace", "jvm"],
  async prepare(bench) {
    const lookedAt = new Set<SideName>();
    const idleBytesOf = async (side: SideName, pid: number): Promise<Measurement> => {
      if (lookedAt.has(side)) return {};
      lookedAt.add(side);
      await sleep(IDLE_MS * bench.scale);
      return { idleBytes: usageOf(pid).residentBytes };
    };
    return async (side) => {
      const [group, topic] = [bench.name("start"), bench.name("start-records")];
      const file = join(bench.dir, `${topic}.txt`);
      const options = { dir: bench.dir, bootstrap: bench.bootstrap, group };
      await bench.topics.create(topic);
      const first = await startSide(side, options);
      const { readyMs } = first;
      let idle: Measurement;
      try {
        idle = await idleBytesOf(side, first.pid);
        appendFileSync(file, "one\n");
        await createConnector(first.url, "source", {
          "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
          "tasks.max": "1",
          topic,
          file,
        });
        await waitForRecords(bench, topic, 1);
      } finally {
        await first.stop(); // Its offset is stored by this.
      }
      appendFileSync(file, "two\n");
      const startedAt = performance.now();
      const starting = startSide(side, options);
      try {
        await waitForRecords(bench, topic, 2);
        return { ...idle, readyMs, firstRecordMs: performance.now() - startedAt };
      } finally {
        const second = await starting;
        await second.stop();
      }
    };
  },
};

async function waitForRecords(bench: Bench, topic: string, count: number): Promise<void> {
  const deadline = performance.now() + RECORD_LIMIT_MS;
  while ((await bench.topics.count(topic)) < count) {
    if (performance.now() > deadline) throw new Error(`no record within ${RECORD_LIMIT_MS / 1000} s`);
    await sleep(LOOK_MS);
  }
}
