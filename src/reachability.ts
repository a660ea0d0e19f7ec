import type { ObjectKey } from "./kube/client.ts";

/** Which clusters have ready workers of which none tells about the cluster, as whoever follows their events finds out. */
export interface Reachability {
  /** Why none does, a sentence without its full stop; null: one does, none is ready, or nobody has listened yet. */
  lostBecause(cluster: ObjectKey): string | null;
  /** Listeners are called if that is new. */
  note(cluster: ObjectKey, lostBecause: string | null): void;
  onChange(listener: (cluster: ObjectKey) => void): () => void;
}

/** All clusters are within reach at first. */
export function createReachability(): Reachability {
  const reasons = new Map<string, string>();
  const listeners = new Set<(cluster: ObjectKey) => void>();

  return {
    lostBecause: (cluster) => reasons.get(idOf(cluster)) ?? null,
    note(cluster, lostBecause) {
      const id = idOf(cluster);
      if ((reasons.get(id) ?? null) === lostBecause) return;
      if (lostBecause === null) reasons.delete(id);
      else reasons.set(id, lostBecause);
      for (const listener of listeners) listener(cluster);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function idOf({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}
