import { appendFileSync, closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createConnector, waitForTasks } from "../connect.ts";
import type { Measurement, Scenario } from "../scenario.ts";
import { startSide } from "../side.ts";
import { percentile } from "../statistics.ts";
import { scaled } from "./records.ts";

const RATE = 10_000;
const SECONDS = 30;
const BYTES = 100;
const TICK_MS = 5;
const LOOK_MS = 1;
const STALL_MS = 60_000;
/** Records before that belong to the start. */
const WARM_UP_SHARE = 0.3;

/**
 * From a record's making to its line in the sink's file, at 10,000 records per second: as a line of a file that a source follows
 * (`file`), or sent to the topic by a producer (`topic`), without the pauses that file sources make at the end of their file.
 */
export function latency(name: string, from: "file" | "topic"): Scenario {
  return {
    name,
    quick: false,
    sides: ["headrace", "jvm"],
    async prepare(bench) {
      const total = scaled(bench, RATE * SECONDS);
      return async (side) => {
        const group = bench.name(name);
        const [input, output] = [join(bench.dir, `${group}.in`), join(bench.dir, `${group}.out`)];
        await bench.topics.create(group);
        appendFileSync(input, "");
        appendFileSync(output, "");
        const worker = await startSide(side, { dir: bench.dir, bootstrap: bench.bootstrap, group });
        const producer = await bench.topics.openProducer();
        try {
          const source = { "connector.class": "FileStreamSource", "tasks.max": "1", topic: group, file: input };
          const sink = { "connector.class": "FileStreamSink", "tasks.max": "1", topics: group, file: output };
          if (from === "file") await createConnector(worker.url, "source", source);
          await createConnector(worker.url, "sink", sink);
          await waitForTasks(worker.url, from === "file" ? 2 : 1, 60_000);
          const emit = async (lines: readonly string[]) => {
            if (from === "file") appendFileSync(input, lines.map((line) => `${line}\n`).join(""));
            else await producer.send({ topic: group, messages: lines.map((value) => ({ value })) });
          };
          const reading = readLatencies(output, total);
          const writing = pace(total, emit);
          await Promise.all([reading, writing]);
          return toMeasurement(await reading);
        } finally {
          await producer.disconnect();
          await worker.stop();
        }
      };
    },
  };
}

const nowMs = () => performance.timeOrigin + performance.now();

/** Gives `total` lines of number and time, as they are due. */
async function pace(total: number, emit: (lines: readonly string[]) => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) * RATE) / 1000));
    const lines = Array.from({ length: due - sent }, (_, index) =>
      `${sent + index} ${nowMs().toFixed(3)} `.padEnd(BYTES, "."),
    );
    if (lines.length > 0) await emit(lines);
    sent = due;
    await sleep(TICK_MS);
  }
}

/** Reads a growing file until each number was seen; resolves with the milliseconds that each took, by number. Throws if nothing comes for a minute. */
async function readLatencies(file: string, total: number): Promise<readonly number[]> {
  const latencies: number[] = [];
  const fd = openSync(file, "r");
  const chunk = Buffer.alloc(1 << 20);
  let rest = "";
  let seen = 0;
  let movedAt = nowMs();
  try {
    while (seen < total) {
      const size = readSync(fd, chunk);
      const now = nowMs();
      if (size === 0) {
        if (now - movedAt > STALL_MS) throw new Error(`${seen} of ${total} records after a minute without any`);
        await sleep(LOOK_MS);
        continue;
      }
      movedAt = now;
      const lines = (rest + chunk.toString("latin1", 0, size)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const [number, madeAt] = line.split(" ").map(Number);
        if (number === undefined || madeAt === undefined || latencies[number] !== undefined)
          throw new Error(`a line that was not expected: ${line}`);
        latencies[number] = now - madeAt;
        seen += 1;
      }
    }
    return latencies;
  } finally {
    closeSync(fd);
  }
}

function toMeasurement(latencies: readonly number[]): Measurement {
  const steady = latencies.slice(Math.floor(latencies.length * WARM_UP_SHARE));
  return { latencyP50Ms: percentile(steady, 0.5), latencyP99Ms: percentile(steady, 0.99) };
}
