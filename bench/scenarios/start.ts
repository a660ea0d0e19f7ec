import { setTimeout as sleep } from "node:timers/promises";
import type { Scenario } from "../scenario.ts";
import { startSide } from "../side.ts";
import { usageOf } from "../usage.ts";

/** What a worker needs when it has nothing to do is looked at after this time. */
const IDLE_MS = 5_000;

/** From the start of a worker's process to its first answer over REST, and its memory when it is idle. */
export const start: Scenario = {
  name: "start",
  quick: true,
  sides: ["headrace", "jvm"],
  async prepare(bench) {
    return async (side) => {
      const worker = await startSide(side, { dir: bench.dir, bootstrap: bench.bootstrap, group: bench.name("start") });
      try {
        await sleep(IDLE_MS);
        return { elapsedMs: worker.readyMs, peakBytes: usageOf(worker.pid).residentBytes };
      } finally {
        await worker.stop();
      }
    };
  },
};
