import type { Clock } from "./clock.ts";

/** Lets one loop sleep until its time has come or somebody wakes it. */
export interface Bell {
  /** Ends the wait; if nobody waits, the next wait ends at once. */
  ring(): void;
  /** Ends after `ms` (Infinity: never by itself) or when rung. Rejects when `signal` aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export function createBell(clock: Clock): Bell {
  let rung = false;
  let end: () => void = () => {};

  return {
    ring() {
      rung = true;
      end();
    },
    async wait(ms, signal) {
      signal.throwIfAborted();
      const waiting = new AbortController();
      end = () => waiting.abort();
      if (rung) end();
      const either = AbortSignal.any([signal, waiting.signal]);
      try {
        if (Number.isFinite(ms)) await clock.sleep(ms, either);
        else await aborted(either);
      } catch (error) {
        signal.throwIfAborted();
        if (!waiting.signal.aborted) throw error;
      } finally {
        rung = false;
      }
    },
  };
}

/** Resolves when `signal` aborts. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
}
