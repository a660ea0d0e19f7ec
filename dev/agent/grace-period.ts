/** The end of a pod: from the demand to end to the moment when everything is killed. */
export interface GracePeriod {
  /** Aborted when the pod is to end. */
  readonly ending: AbortSignal;
  /** Aborted when the time is over. */
  readonly expired: AbortSignal;
  /** Demands the end within `graceMs`; a later demand can only bring the moment nearer. */
  end(graceMs: number): void;
  /** Stops the clock, once there is nothing left to kill. */
  stop(): void;
}

export function createGracePeriod(): GracePeriod {
  const ending = new AbortController();
  const expired = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let expiresAtMs = Number.POSITIVE_INFINITY;
  return {
    ending: ending.signal,
    expired: expired.signal,
    end(graceMs) {
      const atMs = performance.now() + graceMs;
      if (atMs < expiresAtMs) {
        expiresAtMs = atMs;
        clearTimeout(timer);
        timer = setTimeout(() => expired.abort(), graceMs);
      }
      ending.abort();
    },
    stop: () => clearTimeout(timer),
  };
}
