/** Changes of one thing's state, one after the other; a newer wish pre-empts those that are still pending (contract §7.0). */
export interface Transitions {
  /**
   * Runs `step` when the one before has ended, unless something newer is wanted by then: then it does nothing. `superseded` aborts when
   * something newer is wanted while it runs; what it rejects with after that is nobody's business. Resolves or rejects with the step.
   */
  enter(step: (superseded: AbortSignal) => Promise<void>): Promise<void>;
}

/** Creates it, at rest. */
export function createTransitions(): Transitions {
  let latest = new AbortController();
  let tail: Promise<void> = Promise.resolve();
  return {
    enter(step) {
      latest.abort(new Error("another state is wanted by now"));
      const mine = new AbortController();
      latest = mine;
      const turn = tail.then(async () => {
        if (mine.signal.aborted) return;
        try {
          await step(mine.signal);
        } catch (error) {
          if (!mine.signal.aborted) throw error;
        }
      });
      tail = turn.catch(() => {});
      return turn;
    },
  };
}
