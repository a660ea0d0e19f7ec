import { setTimeout as sleep } from "node:timers/promises";
import { createConnector } from "../connect.ts";
import type { Scenario } from "../scenario.ts";
import { startSide } from "../side.ts";
import { slopeOf, spreadOf } from "../statistics.ts";
import { usageOf } from "../usage.ts";
import { scaled } from "./records.ts";

/** As many as come in an hour at 10,000 per second. */
const HOUR = 36_000_000;
const SAMPLE_MS = 500;
const STALL_MS = 60_000;

/** Records before that belong to the start, when pools and caches fill. */
const STEADY_SHARE = 0.2;

/**
 * How much more memory a worker needs at the end of an hour's records than early in it, and what the line through all samples of its steady
 * state says that it would need more after another hour.
 */
export const growth: Scenario = {
  name: "memory-growth",
  quick: false,
  sides: ["headrace"],
  maxRuns: 1,
  async prepare(bench) {
    const total = scaled(bench, HOUR);
    return async (side) => {
      const group = bench.name("growth");
      await bench.topics.create(group);
      const worker = await startSide(side, { dir: bench.dir, bootstrap: bench.bootstrap, group });
      try {
        await createConnector(worker.url, "source", {
          "connector.class": "datagen",
          "tasks.max": "1",
          topic: group,
          streams: "1",
          count: String(total),
          "rate.per.second": "0",
          "template.format": "text",
          template: `{{sequence}} ${"x".repeat(90)}`,
        });
        const samples: { readonly done: number; readonly bytes: number }[] = [];
        let movedAt = performance.now();
        for (let done = 0; done < total; ) {
          const before = done;
          done = await bench.topics.count(group);
          samples.push({ done, bytes: usageOf(worker.pid).residentBytes });
          if (done > before) movedAt = performance.now();
          if (performance.now() - movedAt > STALL_MS)
            throw new Error(`${done} of ${total} records after a minute's pause`);
          await sleep(SAMPLE_MS);
        }
        /** The samples between two shares of the work. */
        const between = (from: number, to: number) =>
          samples.flatMap(({ done, bytes }) => (done >= from * total && done <= to * total ? [bytes] : []));
        const [early, late] = [between(0.1, 0.3), between(0.8, 1)];
        const steady = samples.flatMap(({ done, bytes }) => {
          return done >= STEADY_SHARE * total ? [{ x: done, y: bytes }] : [];
        });
        const peakBytes = Math.max(...samples.map(({ bytes }) => bytes));
        // A trial has too few records to be seen on their way.
        return {
          peakBytes,
          ...(early.length > 0 && late.length > 0 && { growthBytes: spreadOf(late).median - spreadOf(early).median }),
          ...(new Set(steady.map(({ x }) => x)).size > 1 && { slopeBytes: slopeOf(steady) * HOUR }),
        };
      } finally {
        await worker.stop();
      }
    };
  },
};
