import type { Scenario } from "../scenario.ts";
import type { RunningWorker } from "../side.ts";
import { percentile } from "../statistics.ts";
import { type LoadedGroup, openGroup } from "./group.ts";

const WORKERS = 3;
/** A source and a sink each. */
const PAIRS = 15;
const ROUNDS = { quick: 1, full: 20 } as const;

/**
 * One of three workers is killed, told to end, or deleted as a pod of a set is, with 30 tasks between them. Killed or told to end: another one
 * takes its place before the next round. Deleted: told to end, killed if it has not after 30 s, and started again under its name when it
 * has. Killed: from the signal to the first record of each task that ran there, moved elsewhere. The others: the longest pause of each
 * of them. No line may be lost.
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
      const [killed, drained, deleted]: [number[], number[], number[]] = [[], [], []];
      try {
        for (let round = 0; round < rounds; round += 1) {
          killed.push(...(await endWorker(group, round, "kill")));
          drained.push(...(await endWorker(group, round + 1, "stop")));
          deleted.push(...(await endWorker(group, round + 2, "delete")));
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
        deletedP50Ms: percentile(deleted, 0.5),
        deletedP95Ms: percentile(deleted, 0.95),
      };
    };
  },
};

/** Ends a worker; resolves with the milliseconds of each of its tasks when there is a new worker, too. */
async function endWorker(
  group: LoadedGroup,
  turn: number,
  how: "kill" | "stop" | "delete",
): Promise<readonly number[]> {
  const tasks = await group.settled();
  const victim = group.workers[turn % group.workers.length];
  if (victim === undefined) throw new Error("no worker is left");
  const names = tasks
    .filter(({ workerId }) => workerId === victim.workerId)
    .map(({ connector }) => group.progressOf(connector));
  if (names.length === 0) throw new Error("the worker that is to end has no task");
  group.forget(victim);
  if (how === "delete") return await replace(group, victim, names);
  const times = how === "kill" ? await kill(group, victim, names) : await drain(group, victim, names);
  await group.add();
  return times;
}

async function kill(group: LoadedGroup, victim: RunningWorker, names: readonly string[]): Promise<readonly number[]> {
  const signalledAt = Date.now();
  await victim.kill();
  // What the worker itself had still done counts for nothing.
  return (await group.moved(names, Date.now())).map((atMs) => atMs - signalledAt);
}

async function drain(group: LoadedGroup, victim: RunningWorker, names: readonly string[]): Promise<readonly number[]> {
  const signalledAt = Date.now();
  await victim.stop();
  await group.moved(names, Date.now());
  return names.map((name) => group.monitor.longestGap(name, signalledAt));
}

/** The successor has the name of the one that ended, and may get its tasks back: their pauses until all is even count. */
async function replace(
  group: LoadedGroup,
  victim: RunningWorker,
  names: readonly string[],
): Promise<readonly number[]> {
  const signalledAt = Date.now();
  await victim.stop();
  await group.add(victim);
  await group.settled();
  await group.moved(names, Date.now());
  return names.map((name) => group.monitor.longestGap(name, signalledAt));
}
