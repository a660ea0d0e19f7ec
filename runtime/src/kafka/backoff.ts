import { setTimeout as sleep } from "node:timers/promises";

/** Pauses between attempts: doubling with jitter, from `retryBackoffMs` to `retryBackoffMaxMs`. */
export function createBackoff(
  settings: { readonly retryBackoffMs: number; readonly retryBackoffMaxMs: number },
  random: () => number = Math.random,
): { next(): number; reset(): void; pause(signal: AbortSignal): Promise<void> } {
  let failures = 0;
  const next = () => {
    const exponential = Math.min(settings.retryBackoffMs * 2 ** failures, settings.retryBackoffMaxMs);
    failures += 1;
    return Math.round(exponential * (0.8 + 0.4 * random()));
  };
  return {
    next,
    reset() {
      failures = 0;
    },
    async pause(signal) {
      await sleep(next(), undefined, { signal });
    },
  };
}
