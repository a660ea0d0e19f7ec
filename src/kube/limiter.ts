/** Lets at most `max` pieces of work run at a time; the others wait in order. */
export interface Limiter {
  run<R>(work: () => Promise<R>, signal: AbortSignal): Promise<R>;
}

export function createLimiter(max: number): Limiter {
  const waiting = new Set<() => void>();
  let free = max;

  async function acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (free > 0) {
      free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        waiting.delete(start);
        reject(signal.reason);
      };
      const start = () => {
        waiting.delete(start);
        signal.removeEventListener("abort", abort);
        resolve();
      };
      waiting.add(start);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  function release(): void {
    const [next] = waiting;
    if (next === undefined) free += 1;
    else next();
  }

  return {
    async run(work, signal) {
      await acquire(signal);
      try {
        return await work();
      } finally {
        release();
      }
    },
  };
}
