/** Work in order per name, side by side across names. */
export interface Lanes {
  /** Runs `step` when everything entered before under `name` has settled. */
  enter<T>(name: string, step: () => Promise<T>): Promise<T>;
}

/** Creates lanes; one without waiting steps takes no memory. */
export function createLanes(): Lanes {
  const tails = new Map<string, Promise<unknown>>();
  return {
    enter(name, step) {
      const before = tails.get(name) ?? Promise.resolve();
      const result = before.then(step, step);
      const tail = result
        .catch(() => undefined)
        .then(() => {
          if (tails.get(name) === tail) tails.delete(name);
        });
      tails.set(name, tail);
      return result;
    },
  };
}

/** At most `limit` steps at a time, first come first served. */
export function createGate(limit: number): <T>(step: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = limit;
  return async (step) => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    try {
      return await step();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
