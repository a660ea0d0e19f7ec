/**
 * Turns the addon's wakes into promises: whoever waits checks its own condition at each wake. A wake says only that something may have
 * changed.
 */
export class Wakes {
  readonly #waiting = new Set<() => void>();

  /** To be called by the addon. */
  readonly ring = (): void => {
    for (const check of [...this.#waiting]) check();
  };

  /** Resolves at the next wake. Rejects when `signal` aborts. */
  next(signal: AbortSignal | null): Promise<void> {
    let woken = false;
    return this.until(() => {
      if (woken) return null;
      woken = true;
      return undefined;
    }, signal).then(() => {});
  }

  /**
   * Resolves with the first answer other than undefined; asks at once and after each wake. Rejects with what `answer` throws,
   * or when `signal` aborts.
   */
  until<T>(answer: () => T | undefined, signal: AbortSignal | null): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const end = () => {
        this.#waiting.delete(check);
        signal?.removeEventListener("abort", abort);
      };
      const abort = () => {
        end();
        reject(signal?.reason);
      };
      const check = () => {
        try {
          const result = answer();
          if (result === undefined) return;
          end();
          resolve(result);
        } catch (error) {
          end();
          reject(error);
        }
      };
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.add(check);
      check();
    });
  }
}
