import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { KubeObject } from "./client.ts";
import { KubeError, type KubeErrorCode } from "./errors.ts";
import type { ListWatch } from "./list-watch.ts";
import {
  type ActiveState,
  isRefusal,
  LIST_FROM_START,
  nextWatchStep,
  type WatchInput,
  type WatchOutput,
  type WatchState,
} from "./watch-state.ts";

/** Settings of a watcher. */
export interface WatcherOptions {
  readonly log: Logger;
  readonly random: () => number;
  /** Objects per page of a list. */
  readonly pageSize: number;
  /** A watch that says nothing for so long is dead. The API server sends a bookmark every minute or so. */
  readonly silenceMs: number;
}

/** Settings for a real API server. */
export const WATCHER_DEFAULTS = { random: Math.random, pageSize: 500, silenceMs: 90_000 } as const;

const WATCH_SECONDS = { min: 300, max: 600 };

const FORBIDDEN = "not allowed to list and watch: changes there go unnoticed until it is";
const ABSENT = "there is no such resource: it is looked for until there is one";

/**
 * Keeps `tell` informed of all objects of one resource type until `signal` aborts. `tell` must not throw.
 *
 * Guarantees: survives everything that the network and the API server can do; what happened meanwhile is told in the end.
 * Assumptions: intermediate states of an object may be skipped, and an object may be told again unchanged.
 */
export async function runWatcher<T extends KubeObject>(
  source: ListWatch<T>,
  tell: (output: WatchOutput<T>) => void,
  options: WatcherOptions,
  signal: AbortSignal,
): Promise<void> {
  const { log, random } = options;
  const { namespace } = source.scope;
  let state: WatchState = LIST_FROM_START;
  /** What was refused last, and how; null: nothing is. */
  let refused: { readonly doing: ActiveState["kind"]; readonly code: KubeErrorCode } | null = null;

  function advance(active: ActiveState, input: WatchInput<T>): WatchState {
    const step = nextWatchStep(active, input, random);
    for (const output of step.outputs) tell(output);
    return step.state;
  }

  /** Follows the watch until it ends; the state as of its last event and its end are folded in. */
  async function follow(start: ActiveState & { kind: "watch" }): Promise<WatchState> {
    const startedAt = performance.now();
    const lastedMs = () => performance.now() - startedAt;
    const timeoutSeconds = Math.round(WATCH_SECONDS.min + random() * (WATCH_SECONDS.max - WATCH_SECONDS.min));
    const connection = new AbortController();
    const abort = () => connection.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    const deadMan = setTimeout(
      () => connection.abort(new KubeError("timeout", `the watch was silent for ${options.silenceMs} ms`)),
      options.silenceMs,
    );
    let current: ActiveState = start;
    try {
      for await (const event of source.watch(start.resourceVersion, timeoutSeconds, connection.signal)) {
        deadMan.refresh();
        refused = null;
        const next = advance(current, { kind: "event", event });
        if (next.kind === "pause") return next;
        current = next;
      }
      return advance(current, { kind: "closed", lastedMs: lastedMs() });
    } catch (error) {
      return failed(current, error, lastedMs());
    } finally {
      clearTimeout(deadMan);
      signal.removeEventListener("abort", abort);
      connection.abort();
    }
  }

  async function fetchPage(active: ActiveState & { kind: "list" }): Promise<WatchState> {
    const startedAt = performance.now();
    try {
      const page = await source.page(active.continueToken, active.paged ? options.pageSize : null, signal);
      if (refused?.doing === "list") refused = null;
      return advance(active, { kind: "page", page });
    } catch (error) {
      return failed(active, error, performance.now() - startedAt);
    }
  }

  function failed(active: ActiveState, error: unknown, lastedMs: number): WatchState {
    const { code, retryAfterMs } =
      error instanceof KubeError ? error : { code: "unavailable" as const, retryAfterMs: null };
    const next = advance(active, { kind: "failed", code, retryAfterMs, lastedMs });
    if (!signal.aborted) tellFailure(active, error, { code, delayMs: next.kind === "pause" ? next.delayMs : 0 });
    return next;
  }

  /** A refusal lasts: it is told once, until it is over. */
  function tellFailure(
    { kind: doing, failures }: ActiveState,
    error: unknown,
    { code, delayMs }: { readonly code: KubeErrorCode; readonly delayMs: number },
  ): void {
    const fields = { err: error, code, doing, namespace, failures, delayMs };
    if (!isRefusal(code)) {
      log.warn(fields, "watch interrupted");
    } else if (refused?.doing === doing && refused.code === code) {
      log.debug(fields, "still refused");
    } else {
      refused = { doing, code };
      log.warn(fields, code === "forbidden" ? FORBIDDEN : ABSENT);
    }
  }

  while (!signal.aborted) {
    switch (state.kind) {
      case "list":
        state = await fetchPage(state);
        break;
      case "watch":
        state = await follow(state);
        break;
      case "pause": {
        const { delayMs, next }: { delayMs: number; next: ActiveState } = state;
        await sleep(delayMs, undefined, { signal }).catch(() => undefined);
        state = next;
        break;
      }
      default:
        throw new Error(`unreachable: ${state satisfies never}`);
    }
  }
}
