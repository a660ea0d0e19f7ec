import { isDeepStrictEqual } from "node:util";
import type { KubeObject, ObjectKey, Store } from "./client.ts";

/** A store that somebody fills from others. Equal objects are not told twice. */
export interface DerivedStore<T extends KubeObject> {
  put(key: ObjectKey, object: T): void;
  remove(key: ObjectKey): void;
  store(synced: () => boolean): Store<T>;
}

export function createDerivedStore<T extends KubeObject>(): DerivedStore<T> {
  const objects = new Map<string, T>();
  const listeners = new Set<(change: { readonly previous: T | undefined; readonly current: T | undefined }) => void>();
  let listing: readonly T[] | null = null;

  function tell(previous: T | undefined, current: T | undefined): void {
    listing = null;
    for (const listener of listeners) listener({ previous, current });
  }

  return {
    put(key, object) {
      const previous = objects.get(idOf(key));
      if (previous !== undefined && isDeepStrictEqual(previous, object)) return;
      objects.set(idOf(key), object);
      tell(previous, object);
    },
    remove(key) {
      const previous = objects.get(idOf(key));
      if (previous === undefined) return;
      objects.delete(idOf(key));
      tell(previous, undefined);
    },
    store: (synced) => ({
      synced,
      get: (key) => objects.get(idOf(key)),
      list() {
        listing ??= [...objects.values()];
        return listing;
      },
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    }),
  };
}

/** The part of a store whose objects belong; one that changes so that it does, or does not, is told as added, or removed. */
export function ownedStore<T extends KubeObject>(store: Store<T>, belongs: (object: T) => boolean): Store<T> {
  return {
    synced: (namespace) => store.synced(namespace),
    get(key) {
      const object = store.get(key);
      return object !== undefined && belongs(object) ? object : undefined;
    },
    list: () => store.list().filter(belongs),
    onChange: (listener) =>
      store.onChange(({ previous, current }) => {
        const before = previous !== undefined && belongs(previous) ? previous : undefined;
        const after = current !== undefined && belongs(current) ? current : undefined;
        if (before !== undefined || after !== undefined) listener({ previous: before, current: after });
      }),
  };
}

function idOf({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}
