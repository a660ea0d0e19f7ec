/**
 * The right to act, renewed by the worker with each group heartbeat (invariant 3). Time is monotonic. Before the first renewal it is
 * not held.
 */
export interface Lease {
  /** Checked synchronously right before anything that others could see: a timer cannot fire while the event loop is blocked. */
  held(): boolean;
  /** Resolves when the lease is held; rejects when `signal` aborts. */
  granted(signal: AbortSignal): Promise<void>;
}

export interface RenewableLease extends Lease {
  /** Extends the lease to `ttlMs` from now, if that is later than its end; 0 ends it at once. A lease that ran out stays so. */
  renew(ttlMs: number): void;
}

/** What a test replaces. */
export interface LeaseClock {
  now(): number;
  /** Calls back once after `delayMs`; returns the cancelling function. */
  schedule(callback: () => void, delayMs: number): () => void;
}

const SYSTEM_CLOCK: LeaseClock = {
  now: () => performance.now(),
  schedule(callback, delayMs) {
    // A lease keeps no process alive that has nothing else to do.
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

/** Longest delay that a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** `onExpired` is called once, when a lease that was held has run out. */
export function createLease(onExpired: () => void, clock: LeaseClock = SYSTEM_CLOCK): RenewableLease {
  let endsAt = Number.NEGATIVE_INFINITY;
  let expired = false;
  let cancelTimer = () => {};
  const first = Promise.withResolvers<void>();

  function expire(): void {
    if (expired) return;
    expired = true;
    cancelTimer();
    onExpired();
  }

  function watch(): void {
    cancelTimer();
    const leftMs = endsAt - clock.now();
    if (leftMs <= 0) expire();
    else cancelTimer = clock.schedule(watch, Math.min(Math.ceil(leftMs), MAX_TIMER_MS));
  }

  return {
    held: () => !expired && clock.now() < endsAt,
    renew(ttlMs) {
      if (expired) return;
      if (ttlMs <= 0) {
        if (endsAt > Number.NEGATIVE_INFINITY) expire();
        return;
      }
      if (endsAt > Number.NEGATIVE_INFINITY && clock.now() >= endsAt) {
        expire();
        return;
      }
      endsAt = Math.max(endsAt, clock.now() + ttlMs);
      first.resolve();
      watch();
    },
    async granted(signal) {
      const aborted = Promise.withResolvers<never>();
      const abort = () => aborted.reject(signal.reason);
      if (signal.aborted) throw signal.reason;
      signal.addEventListener("abort", abort, { once: true });
      try {
        await Promise.race([first.promise, aborted.promise]);
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
  };
}
