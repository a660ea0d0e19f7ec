/** What the worker is doing and has done last, for those who wait for it in vain (KIP-1017; wordings are the contract's, §5.0). */
export interface Stages {
  /** Does the work under this name. */
  during<T>(stage: string, work: () => Promise<T>): Promise<T>;
  /** One sentence; "" before the worker has done anything. */
  describe(): string;
}

/** Creates the tracker. Of stages that overlap the one that began last is told. `wallClock`: milliseconds since the epoch. */
export function createStages(wallClock: () => number): Stages {
  const running = new Set<{ readonly text: string; readonly sinceMs: number }>();
  let last: { readonly text: string; readonly sinceMs: number; readonly endMs: number } | null = null;
  return {
    async during(text, work) {
      const stage = { text, sinceMs: wallClock() };
      running.add(stage);
      try {
        return await work();
      } finally {
        running.delete(stage);
        last = { ...stage, endMs: wallClock() };
      }
    },
    describe() {
      const current = [...running].at(-1);
      if (current !== undefined) {
        return `The worker is currently ${current.text}, which began at ${toIso(current.sinceMs)}.`;
      }
      if (last === null) return "";
      return `The last operation the worker completed was ${last.text}, which began at ${toIso(last.sinceMs)} and completed at ${toIso(last.endMs)}.`;
    },
  };
}

function toIso(ms: number): string {
  return new Date(ms).toISOString();
}
