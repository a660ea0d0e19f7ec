import type { Scenario } from "../scenario.ts";
import { percentile } from "../statistics.ts";
import { openGroup } from "./group.ts";

const WORKERS = 3;
const PAIRS = 15;

/**
 * Each of three workers with 30 tasks between them is told to end, its tasks run evenly on the others, and it starts again under its name, one
 * after the other, as an operator rolls a cluster. The longest pause of each task from the first signal to the end. No line may be lost.
 */
export const rollingUpdate: Scenario = {
  name: "rolling-update",
  quick: false,
  sides: ["headrace", "jvm"],
  maxRuns: 1,
  async prepare(bench) {
    return async (side) => {
      const group = await openGroup(bench, side, { workers: WORKERS, pairs: PAIRS });
      try {
        const names = (await group.settled()).map(({ connector }) => group.progressOf(connector));
        const startedAt = Date.now();
        for (const worker of [...group.workers]) {
          group.forget(worker);
          await worker.stop();
          await group.settled();
          await group.add(worker);
          await group.settled();
        }
        await group.moved(names, Date.now());
        const pauses = names.map((name) => group.monitor.longestGap(name, startedAt));
        await group.verify();
        return { rolledP50Ms: percentile(pauses, 0.5), rolledP95Ms: percentile(pauses, 0.95) };
      } finally {
        await group.close();
      }
    };
  },
};
