import { ConnectError } from "../errors.ts";
import { unlessAborted } from "../kafka/cluster.ts";

/** Those who wait until this member has given its work away. */
export interface Drains {
  /** Resolves or rejects with the next verdict. Rejects when `signal` aborts. */
  wait(signal: AbortSignal): Promise<void>;
  /** This member holds nothing. */
  done(): void;
  /** Nobody takes the work. */
  refused(why: string): void;
}

export function createDrains(): Drains {
  let verdict = Promise.withResolvers<void>();

  /** Settles those who wait; later ones wait for the next verdict. */
  function next(): PromiseWithResolvers<void> {
    const settled = verdict;
    verdict = Promise.withResolvers<void>();
    return settled;
  }

  return {
    wait: (signal) => unlessAborted(verdict.promise, signal),
    done: () => next().resolve(),
    refused(why) {
      const { promise, reject } = next();
      promise.catch(() => {}); // Perhaps nobody waits.
      reject(new ConnectError("unavailable", `Cannot drain: ${why}`));
    },
  };
}
