import { backOffMs } from "../back-off.ts";
import type { KubeObject } from "./client.ts";
import type { Page } from "./decode.ts";
import type { KubeErrorCode } from "./errors.ts";
import type { WatchEvent } from "./list-watch.ts";

/** What a watcher does next. */
export type WatchState = ActiveState | PausedState;

/** Fetch a page of a list, or follow the watch from a version. */
export type ActiveState =
  | {
      readonly kind: "list";
      /** Where the next page starts; null at the beginning. */
      readonly continueToken: string | null;
      /** False after a list grew too old between its pages: the next one is fetched whole. */
      readonly paged: boolean;
      /** Failures in a row, up to the first sign of a healthy watch. */
      readonly failures: number;
    }
  | { readonly kind: "watch"; readonly resourceVersion: string; readonly failures: number };

/** Wait, then go on. */
export interface PausedState {
  readonly kind: "pause";
  readonly delayMs: number;
  readonly next: ActiveState;
}

/** What came of it. */
export type WatchInput<T extends KubeObject> =
  | { readonly kind: "page"; readonly page: Page<T> }
  | { readonly kind: "event"; readonly event: WatchEvent<T> }
  /** The server ended the watch in good order. */
  | { readonly kind: "closed"; readonly lastedMs: number }
  /** A page or the watch failed: an error answer or event, a broken connection, a malformed line, or silence (`timeout`). */
  | {
      readonly kind: "failed";
      readonly code: KubeErrorCode;
      readonly retryAfterMs: number | null;
      readonly lastedMs: number;
    };

/** What a cache is told. Between `restarted` and `synced`, everything that exists is listed. */
export type WatchOutput<T extends KubeObject> =
  | { readonly kind: "restarted" }
  | { readonly kind: "listed"; readonly objects: readonly T[] }
  | { readonly kind: "synced" }
  /** There is nothing to follow for now: it may not be listed, or there is no such resource. It is asked for again and again. */
  | { readonly kind: "refused"; readonly code: KubeErrorCode }
  | { readonly kind: "applied"; readonly object: T }
  | { readonly kind: "deleted"; readonly object: T };

/** The new state, and what to tell the cache. */
export interface WatchStep<T extends KubeObject> {
  readonly state: WatchState;
  readonly outputs: readonly WatchOutput<T>[];
}

/** A new watcher lists first. */
export const LIST_FROM_START: ActiveState = { kind: "list", continueToken: null, paged: true, failures: 0 };

const RETRY = { baseMs: 250, maxMs: 5_000 };
/** A watch that lived this long was healthy, however it ended. */
const HEALTHY_MS = 10_000;
/** A watch that the server ends sooner is a failure, or a server that always does so would be asked without pause. */
const SHORTEST_WATCH_MS = 1_000;
/** After so many failures of a watch the version that it starts from is doubted, and everything is listed anew. */
const FAILURES_UNTIL_LIST = 5;

/**
 * Decides what a watcher does after `input`.
 *
 * Guarantees: an expired version or token leads to a new list; everything else is tried again with jittered back-off, for
 * ever; no sequence of inputs leads to requests without pause.
 */
export function nextWatchStep<T extends KubeObject>(
  state: ActiveState,
  input: WatchInput<T>,
  random: () => number,
): WatchStep<T> {
  switch (input.kind) {
    case "page":
      return afterPage(state, input.page);
    case "event":
      return afterEvent(input.event);
    case "closed":
      if (state.kind === "watch" && input.lastedMs >= SHORTEST_WATCH_MS) return quietly({ ...state, failures: 0 });
      return afterFailure(state, "unavailable", null, input.lastedMs, random);
    case "failed":
      return afterFailure(state, input.code, input.retryAfterMs, input.lastedMs, random);
    default:
      throw new Error(`unreachable: ${input satisfies never}`);
  }
}

function afterPage<T extends KubeObject>(state: ActiveState, page: Page<T>): WatchStep<T> {
  const { failures } = state;
  const first = state.kind !== "list" || state.continueToken === null;
  const outputs: WatchOutput<T>[] = first ? [{ kind: "restarted" }] : [];
  outputs.push({ kind: "listed", objects: page.objects });
  if (page.continueToken !== null) {
    return { state: { kind: "list", continueToken: page.continueToken, paged: true, failures }, outputs };
  }
  outputs.push({ kind: "synced" });
  return { state: { kind: "watch", resourceVersion: page.resourceVersion, failures }, outputs };
}

function afterEvent<T extends KubeObject>(event: WatchEvent<T>): WatchStep<T> {
  const state = { kind: "watch", resourceVersion: event.resourceVersion, failures: 0 } as const;
  if (event.kind === "bookmark") return quietly(state);
  return { state, outputs: [{ kind: event.kind, object: event.object }] };
}

function afterFailure<T extends KubeObject>(
  state: ActiveState,
  code: KubeErrorCode,
  retryAfterMs: number | null,
  lastedMs: number,
  random: () => number,
): WatchStep<T> {
  const failures = (state.kind === "watch" && lastedMs >= HEALTHY_MS ? 0 : state.failures) + 1;
  const expired = code === "expired";
  const next: ActiveState =
    state.kind === "watch" && !expired && isPassing(code) && failures < FAILURES_UNTIL_LIST
      ? { ...state, failures }
      : state.kind === "list" && !expired
        ? { ...state, failures }
        : { kind: "list", continueToken: null, paged: state.kind === "watch", failures };
  const delayMs = Math.max(backOffMs(RETRY, expired ? failures - 1 : failures, random), retryAfterMs ?? 0);
  const outputs = state.kind === "list" && isRefusal(code) ? [{ kind: "refused", code } as const] : [];
  return { state: delayMs === 0 ? next : { kind: "pause", delayMs, next }, outputs };
}

/** Whether nobody can say when it will be otherwise. */
export function isRefusal(code: KubeErrorCode): boolean {
  return code === "forbidden" || code === "not-found";
}

/** Whether the same watch may succeed later. */
function isPassing(code: KubeErrorCode): boolean {
  return code !== "not-found" && code !== "invalid" && code !== "conflict" && code !== "already-exists";
}

function quietly<T extends KubeObject>(state: WatchState): WatchStep<T> {
  return { state, outputs: [] };
}
