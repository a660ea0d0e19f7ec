import type { Work } from "./work.ts";

/** Whoever waits until certain items have stopped. */
export interface StopWaiters {
  /** Calls `done` when all of them have stopped; at once if there are none. */
  whenStopped(works: readonly Work[], done: () => void): void;
  stopped(work: Work): void;
}

/** Creates an empty list. */
export function createStopWaiters(): StopWaiters {
  const waiters = new Set<{ readonly works: Set<Work>; readonly done: () => void }>();
  return {
    whenStopped(works, done) {
      if (works.length === 0) done();
      else waiters.add({ works: new Set(works), done });
    },
    stopped(work) {
      for (const waiter of [...waiters]) {
        waiter.works.delete(work);
        if (waiter.works.size > 0) continue;
        waiters.delete(waiter);
        waiter.done();
      }
    },
  };
}
