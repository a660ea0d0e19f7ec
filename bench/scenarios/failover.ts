import { setTimeout as sleep } from "node:timers/promises";
import type { Scenario } from "../scenario.ts";
import type { RunningWorker } from "../side.ts";
import { percentile } from "../statistics.ts";
import { type LoadedGroup, openGroup } from "./group.ts";

const WORKERS = 3;
/** A source and a sink each. */
const PAIRS = 15;
const ROUNDS = { quick: 2, full: 20 } as const;
const LIMIT_MS = 120_000;

/**
 * One of three workers is killed, or told to end, with 30 tasks between them; it is replaced before the next round. Killed: from the
 * signal to the first record of each task that ran there, moved elsewhere. Told to end: the longest pause of each of them. No line may be lost.
 */
export const failover: Scenario = {
  name: "failover",
  quick: true,
  sides: ["headrace", "jvm"],
  maxRuns: 1,
  async prepare(bench) {
    const rounds = bench.full ? ROUNDS.full : ROUNDS.quick;
    return async (side) => {
      const group = await openGroup(bench, side, { workers: WORKERS, pairs: PAIRS });
      const [killed, drained]: [number[], number[]] = [[], []];
      try {
        for (let round = 0; round < rounds; round += 1) {
          killed.push(...(await endWorker(group, round, "kill")));
          drained.push(...(await endWorker(group, round + 1, "stop")));
        }
        await group.verify();
      } finally {
        await group.close();
      }
      return {
        killedP50Ms: percentile(killed, 0.5),
        killedP95Ms: percentile(killed, 0.95),
        drainedP50Ms: percentile(drained, 0.5),
        drainedP95Ms: percentile(drained, 0.95),
      };
    };
  },
};

/** Ends a worker; resolves with the milliseconds of each of its tasks when there is a new worker, too, and all is even again. */
async function endWorker(group: LoadedGroup, turn: number, how: "kill" | "stop"): Promise<readonly number[]> {
  const tasks = await group.settled();
  const victim = group.workers[turn % group.workers.length];
  if (victim === undefined) throw new Error("no worker is left");
  const names = tasks
    .filter(({ workerId }) => workerId === victim.workerId)
    .map(({ connector }) => group.progressOf(connector));
  if (names.length === 0) throw new Error("the worker that is to end has no task");
  group.forget(victim);
  const times = how === "kill" ? await kill(group, victim, names) : await drain(group, victim, names);
  await group.add();
  return times;
}

async function kill(group: LoadedGroup, victim: RunningWorker, names: readonly string[]): Promise<readonly number[]> {
  const signalledAt = Date.now();
  await victim.kill();
  // What the worker itself had still done counts for nothing.
  return (await firstProgress(group, names, Date.now())).map((atMs) => atMs - signalledAt);
}

async function drain(group: LoadedGroup, victim: RunningWorker, names: readonly string[]): Promise<readonly number[]> {
  const signalledAt = Date.now();
  await victim.stop();
  await firstProgress(group, names, Date.now());
  return names.map((name) => group.monitor.longestGap(name, signalledAt));
}

/** Waits for each's first progress after `sinceMs`. */
async function firstProgress(
  group: LoadedGroup,
  names: readonly string[],
  sinceMs: number,
): Promise<readonly number[]> {
  for (;;) {
    const moments = [...group.monitor.firstProgress(names, sinceMs).values()];
    const seen = moments.filter((moment) => moment !== null);
    if (seen.length === names.length) return seen;
    if (Date.now() - sinceMs > LIMIT_MS) throw new Error(`${names.length - seen.length} tasks stand still`);
    await sleep(20);
  }
}
