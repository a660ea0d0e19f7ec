import { connectorOfKey } from "./work.ts";

/** How often an item may lose its executor within the window before it is given up. */
const LIMIT = 3;
const WINDOW_MS = 5 * 60_000;
const FIRST_DELAY_MS = 1_000;

/** What to do with an item whose executor died. */
export type AfterCrash =
  | { readonly kind: "restart"; readonly delayMs: number }
  | { readonly kind: "giveUp"; readonly crashes: number };

/**
 * Remembers when items lost their executor. The first time they start again at once, then after a growing pause. An item that was the
 * only suspect three times within five minutes is given up; one that merely shared an executor with a culprit never is.
 */
export interface CrashHistory {
  record(item: string, crash: { readonly atMs: number; readonly alone: boolean }): AfterCrash;
  forget(item: string): void;
  /** Forgets all items of a connector. */
  forgetConnector(connector: string): void;
}

/** Creates an empty history. */
export function createCrashHistory(): CrashHistory {
  const crashes = new Map<string, { readonly atMs: number; readonly alone: boolean }[]>();
  return {
    record(item, { atMs, alone }) {
      const recent = [...(crashes.get(item) ?? []).filter((crash) => crash.atMs > atMs - WINDOW_MS), { atMs, alone }];
      crashes.set(item, recent);
      const guilty = recent.filter((crash) => crash.alone).length;
      if (alone && guilty >= LIMIT) return { kind: "giveUp", crashes: guilty };
      return {
        kind: "restart",
        delayMs: recent.length === 1 ? 0 : FIRST_DELAY_MS * 2 ** Math.min(recent.length - 2, 5),
      };
    },
    forget(item) {
      crashes.delete(item);
    },
    forgetConnector(connector) {
      for (const item of crashes.keys()) if (connectorOfKey(item) === connector) crashes.delete(item);
    },
  };
}
