import type { Scenario } from "../scenario.ts";
import { openGroup } from "./group.ts";

const WORKERS = 2;
const PAIRS = 15;

/** A third worker joins two with 30 tasks: from its readiness until each has a third of the tasks, all running. No line may be lost. */
export const rebalance: Scenario = {
  name: "rebalance",
  quick: false,
  sides: ["headrace", "jvm"],
  async prepare(bench) {
    return async (side) => {
      const group = await openGroup(bench, side, { workers: WORKERS, pairs: PAIRS });
      try {
        await group.add();
        const readyAt = performance.now();
        await group.settled();
        const balancedMs = performance.now() - readyAt;
        await group.verify();
        return { balancedMs };
      } finally {
        await group.close();
      }
    };
  },
};
