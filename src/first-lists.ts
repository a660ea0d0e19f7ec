import type { Logger } from "pino";
import { orAborted } from "./or-aborted.ts";

/** A list that first decisions must not miss if it can be had. */
export interface FirstList {
  /** As logs and probes name it. */
  readonly name: string;
  /** Resolves once the list is in, or will not be. */
  whenAnswered(signal: AbortSignal): Promise<void>;
}

/** Lists that are waited for at the start, for a time. */
export interface FirstLists {
  /** Those that are still waited for. */
  waitingFor(): readonly string[];
  /** Resolves when none is waited for any more. */
  whenKnown(signal: AbortSignal): Promise<void>;
  /** Follows the lists until `signal` aborts. The time that they have begins here; the log names those that are late, again and again. */
  run(signal: AbortSignal): Promise<void>;
}

export interface FirstListsOptions {
  readonly lists: readonly FirstList[];
  /** How long they are waited for, and how often it is said which are late, ms. */
  readonly limitMs: number;
  readonly log: Logger;
}

export function createFirstLists({ lists, limitMs, log }: FirstListsOptions): FirstLists {
  const missing = new Set(lists);
  const known = Promise.withResolvers<void>();
  let isLate = false;
  const names = () => [...missing].map(({ name }) => name);

  function tellLate(): void {
    if (missing.size === 0) return;
    const message = isLate ? "not all could be listed yet" : "not all could be listed in time: going on without them";
    isLate = true;
    log.warn({ lists: names() }, message);
    known.resolve();
  }

  return {
    waitingFor: () => (isLate ? [] : names()),
    whenKnown: (signal) => orAborted(known.promise, signal),
    async run(signal) {
      const timer = setInterval(tellLate, limitMs);
      try {
        await Promise.all(
          lists.map(async (list) => {
            await list.whenAnswered(signal);
            missing.delete(list);
          }),
        );
        known.resolve();
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        clearInterval(timer);
      }
    },
  };
}
