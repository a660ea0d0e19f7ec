import { ConnectError } from "../errors.ts";
import type { Waiter } from "./messages.ts";
import type { Work } from "./work.ts";

/** Requests that wait until an item has been stopped and started again. */
export interface Restarts {
  /** Settles `done` with the next start of the same item after this run. */
  awaitNext(work: Work, done: Waiter): void;
  started(work: Work): void;
  failed(work: Work, error: unknown): void;
  /** It will not be started again here. */
  givenUp(work: Work): void;
  /** Gives up what was to be restarted of a connector and is not here any more. */
  prune(connector: string, isHere: (task: number | null) => boolean): void;
}

/** Creates an empty list. */
export function createRestarts(): Restarts {
  const waiting = new Set<{ readonly former: Work; readonly done: Waiter }>();
  const take = (work: Work, isNews: (former: Work) => boolean) =>
    [...waiting].filter((entry) => {
      const { former } = entry;
      const same = former.connector === work.connector && former.task === work.task && isNews(former);
      if (same) waiting.delete(entry);
      return same;
    });
  const later = (work: Work) => (former: Work) => former.run < work.run;
  return {
    awaitNext: (former, done) => void waiting.add({ former, done }),
    started(work) {
      for (const { done } of take(work, later(work))) done.resolve();
    },
    failed(work, error) {
      for (const { done } of take(work, later(work))) done.reject(error);
    },
    givenUp(work) {
      for (const { done } of take(work, () => true)) done.reject(stoppedInstead());
    },
    prune(connector, isHere) {
      for (const entry of [...waiting]) {
        if (entry.former.connector !== connector || isHere(entry.former.task)) continue;
        waiting.delete(entry);
        entry.done.reject(stoppedInstead());
      }
    },
  };
}

function stoppedInstead(): ConnectError {
  return new ConnectError("rebalance", "It was stopped instead: the work has moved or was deleted");
}
