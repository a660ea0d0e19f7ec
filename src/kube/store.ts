import type { Logger } from "pino";
import { orAborted } from "../or-aborted.ts";
import type { KubeObject, ObjectKey, Store } from "./client.ts";
import type { KubeErrorCode } from "./errors.ts";
import type { ListWatch } from "./list-watch.ts";
import type { Scope } from "./paths.ts";
import type { WatchOutput } from "./watch-state.ts";
import { runWatcher, type WatcherOptions } from "./watcher.ts";

/** A store and the loop that fills it. */
export interface RunningStore<T extends KubeObject> extends Store<T> {
  /** Lists and watches until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves once the first list is in. */
  whenSynced(signal: AbortSignal): Promise<void>;
  /**
   * Resolves once all that can be listed is in: of each source the first list, or that there is no such resource, or that the API server refuses
   * it twice, some seconds apart: an authorizer that has just started refuses what it admits a moment later.
   */
  whenAnswered(signal: AbortSignal): Promise<void>;
}

/** What a store is filled from and how. */
export interface StoreOptions<T extends KubeObject> {
  /** One per namespace, or a single one for all of them. */
  readonly sources: readonly ListWatch<T>[];
  readonly watcher: WatcherOptions;
  readonly log: Logger;
  /** Cuts an object down to what its readers need, before it is kept. */
  readonly slim?: (object: T) => T;
  /** Clock that never goes back, ms; the process's own if not given. */
  readonly now?: () => number;
}

/** So long after the first refusal another one counts. */
const REFUSAL_LASTS_MS = 2_000;

type Change<T> = { readonly previous: T | undefined; readonly current: T | undefined };

/**
 * A cache of one resource type. Equal versions are not told twice; what is missing from a new list is told as removed; an
 * object that was replaced by another of the same name is told as removed and added.
 */
export function createStore<T extends KubeObject>(options: StoreOptions<T>): RunningStore<T> {
  const { sources, log, slim = (object) => object, now = () => performance.now() } = options;
  const objects = new Map<string, T>();
  const listeners = new Set<(change: Change<T>) => void>();
  const unsynced = new Set(sources);
  const unanswered = new Set(sources);
  const ready = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  let listing: readonly T[] | null = null;
  noteAnswers();

  function noteAnswers(): void {
    if (unsynced.size === 0) ready.resolve();
    if (unanswered.size === 0) answered.resolve();
  }

  function notify(change: Change<T>): void {
    for (const listener of listeners) {
      try {
        listener(change);
      } catch (error) {
        log.error({ err: error }, "store listener failed");
      }
    }
  }

  function keep(arrived: T): void {
    const id = idOf(arrived.metadata);
    const previous = objects.get(id);
    if (previous !== undefined && previous.metadata.resourceVersion === arrived.metadata.resourceVersion) return;
    if (previous !== undefined && previous.metadata.uid !== arrived.metadata.uid) drop(id);
    const current = slim(arrived);
    const known = objects.get(id);
    objects.set(id, current);
    listing = null;
    notify({ previous: known, current });
  }

  function drop(id: string): void {
    const previous = objects.get(id);
    if (previous === undefined) return;
    objects.delete(id);
    listing = null;
    notify({ previous, current: undefined });
  }

  /** Takes the outputs of one source's watcher. */
  function follower(source: ListWatch<T>): (output: WatchOutput<T>) => void {
    const { namespace } = source.scope;
    let listed = new Set<string>();
    let refusedSinceMs: number | null = null;

    function refuse(code: KubeErrorCode): void {
      refusedSinceMs ??= now();
      if (code === "forbidden" && now() - refusedSinceMs < REFUSAL_LASTS_MS) return;
      unanswered.delete(source);
      noteAnswers();
    }

    function finish(): void {
      for (const [id, object] of objects) {
        if (namespace !== null && object.metadata.namespace !== namespace) continue;
        if (!listed.has(id)) drop(id);
      }
      listed = new Set();
      unsynced.delete(source);
      unanswered.delete(source);
      noteAnswers();
    }

    return (output) => {
      switch (output.kind) {
        case "restarted":
          listed = new Set();
          refusedSinceMs = null;
          return;
        case "listed":
          for (const object of output.objects) {
            listed.add(idOf(object.metadata));
            keep(object);
          }
          return;
        case "synced":
          return finish();
        case "refused":
          return refuse(output.code);
        case "applied":
          return keep(output.object);
        case "deleted":
          return drop(idOf(output.object.metadata));
        default:
          throw new Error(`unreachable: ${output satisfies never}`);
      }
    };
  }

  return {
    synced: (namespace) =>
      namespace === undefined ? unsynced.size === 0 : ![...unsynced].some(({ scope }) => covers(scope, namespace)),
    get: (key) => objects.get(idOf(key)),
    list() {
      listing ??= [...objects.values()];
      return listing;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async run(signal) {
      await Promise.all(sources.map((source) => runWatcher(source, follower(source), options.watcher, signal)));
    },
    whenSynced: (signal) => orAborted(ready.promise, signal),
    whenAnswered: (signal) => orAborted(answered.promise, signal),
  };
}

function covers(scope: Scope, namespace: string): boolean {
  return scope.namespace === null || scope.namespace === namespace;
}

function idOf({ namespace = "", name }: { readonly namespace?: string; readonly name: string } | ObjectKey): string {
  return `${namespace}/${name}`;
}
