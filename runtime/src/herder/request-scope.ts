import { ConnectError } from "../errors.ts";

/** One request's time, and what it is being spent on. */
export interface RequestScope {
  /** Aborts when the time is over. */
  readonly signal: AbortSignal;
  /** From now on the request is doing this; wordings are the contract's (§5.0). */
  enter(stage: string): void;
  /** Runs the request; a failure after its time is over becomes the contract's "Request timed out". */
  run<T>(request: () => Promise<T>): Promise<T>;
}

/**
 * Opens the scope of a request that may take `timeoutMs`. `wallClock` gives milliseconds since the epoch, `worker` what the worker itself is
 * doing, for a request that has not come to anything.
 */
export function openScope(timeoutMs: number, wallClock: () => number, worker: () => string = () => ""): RequestScope {
  const signal = AbortSignal.timeout(timeoutMs);
  let stage: { readonly text: string; readonly sinceMs: number } | null = null;

  const timedOut = () => {
    if (stage === null)
      return new ConnectError("timeout", ["Request timed out", worker()].filter((part) => part !== "").join(". "));
    const since = new Date(stage.sinceMs).toISOString();
    return new ConnectError(
      "timeout",
      `Request timed out. The worker is currently ${stage.text}, which began at ${since}.`,
    );
  };
  return {
    signal,
    enter(text) {
      stage = { text, sinceMs: wallClock() };
    },
    async run(request) {
      const expired = Promise.withResolvers<never>();
      // A turn later: a request that knows better why it has waited in vain says so first.
      const expire = () => setImmediate(() => expired.reject(timedOut()));
      signal.addEventListener("abort", expire, { once: true });
      try {
        return await Promise.race([request(), expired.promise]);
      } catch (error) {
        if (signal.aborted && !(error instanceof ConnectError)) throw timedOut();
        throw error;
      } finally {
        signal.removeEventListener("abort", expire);
      }
    },
  };
}
