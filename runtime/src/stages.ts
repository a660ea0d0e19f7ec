/** What the worker is doing and has done last, for those who wait for it in vain (KIP-1017; wordings are the contract's, §5.0). */
export interface Stages {
  /** Does the work under this name. */
  during<T>(stage: string, work: () => Promise<T>): Promise<T>;
  /** As `during`, for waiting until there is something to do: told only while nothing else is being done. */
  idling<T>(stage: string, wait: () => Promise<T>): Promise<T>;
  /** One sentence; "" before the worker has done anything. */
  describe(): string;
}

interface Stage {
  readonly text: string;
  readonly sinceMs: number;
}

/**
 * Creates the tracker. Of stages that overlap the one that began last is told, and when it ends the one before it that still goes on.
 * `wallClock`: milliseconds since the epoch.
 */
export function createStages(wallClock: () => number): Stages {
  const running = new Set<Stage>();
  const idle = new Set<Stage>();
  let last: (Stage & { readonly endMs: number }) | null = null;

  async function within<T>(open: Set<Stage>, text: string, work: () => Promise<T>): Promise<T> {
    const stage = { text, sinceMs: wallClock() };
    open.add(stage);
    try {
      return await work();
    } finally {
      open.delete(stage);
      last = { ...stage, endMs: wallClock() };
    }
  }
  return {
    during: (text, work) => within(running, text, work),
    idling: (text, wait) => within(idle, text, wait),
    describe() {
      const current = [...running].at(-1) ?? [...idle].at(-1);
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
