import { setTimeout as sleep } from "node:timers/promises";

/** Monotonic time, so that tests can bring their own. */
export interface Clock {
  /** Milliseconds, as `performance.now`. */
  now(): number;
  /** Rejects when `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  async sleep(ms, signal) {
    await sleep(ms, undefined, { signal });
  },
};
