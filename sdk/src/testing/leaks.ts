import assert from "node:assert/strict";
import { until } from "./waiting.ts";

/** What the system under test has open for the connector, as its own side sees it. */
export type Connections = () => number | Promise<number>;

const ROUNDS = 10;
const SETTLE_MS = 20_000;
/** Requests of the event loop that end by themselves. */
const PASSING: ReadonlySet<string> = new Set(["Immediate", "TickObject", "FSReqPromise", "FSReqCallback"]);

/** What keeps the process alive, by kind. */
function resources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/**
 * Runs something ten times and fails if sockets, files, timers or processes are left over, here or on the system's side. Nothing else may
 * open or close such things meanwhile, cases of the acceptance suites excepted: they wait. What closes by itself has `settleMs` for it.
 */
export async function assertNoLeaks(
  round: () => Promise<void>,
  connections?: Connections,
  settleMs: number = SETTLE_MS,
): Promise<void> {
  await alone(async () => {
    await round(); // What is made once and kept, such as a pool of threads, is no leak.
    const before = resources();
    const openBefore = (await connections?.()) ?? 0;
    for (let count = 0; count < ROUNDS; count += 1) await round();
    const left = async () => {
      const more = [...resources()].filter(
        ([kind, count]) => !PASSING.has(kind) && count - (before.get(kind) ?? 0) >= ROUNDS / 2,
      );
      const open = ((await connections?.()) ?? 0) - openBefore;
      return open >= ROUNDS / 2 ? [...more, ["connections of the system", open] as const] : more;
    };
    await until(settleMs, "nothing is left", async () => (await left()).length === 0).catch(async () => {
      assert.fail(`${ROUNDS} runs have left open: ${JSON.stringify(await left())}`);
    });
  });
}

let running = 0;
let last: Promise<void> = Promise.resolve();
const idle = new Set<() => void>();

/** Runs a case beside others, but beside none that looks for leaks. */
export async function beside<T>(use: () => Promise<T>): Promise<T> {
  // Those that wait for `alone` come first, else they would wait for ever.
  for (let seen = null as Promise<void> | null; seen !== last; ) {
    seen = last;
    await seen;
  }
  running += 1;
  try {
    return await use();
  } finally {
    running -= 1;
    if (running === 0) for (const wake of idle) wake();
  }
}

async function alone(use: () => Promise<void>): Promise<void> {
  const turn = Promise.withResolvers<void>();
  const former = last;
  last = turn.promise;
  await former;
  try {
    while (running > 0) {
      const woken = Promise.withResolvers<void>();
      idle.add(woken.resolve);
      await woken.promise;
      idle.delete(woken.resolve);
    }
    await use();
  } finally {
    turn.resolve();
  }
}
