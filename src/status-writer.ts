import { isDeepStrictEqual } from "node:util";
import type { Condition } from "@headrace/contract";
import type { KubeClient, KubeObject, ResourceType } from "./kube/client.ts";
import { isKubeError } from "./kube/errors.ts";

interface StatusLike {
  readonly conditions?: readonly Condition[] | undefined;
}

interface WithStatus<S extends StatusLike> extends KubeObject {
  readonly status?: S;
}

/** Writes the status of objects of one kind, and only what is new. Spec and metadata are never touched. */
export interface StatusWriter<S extends StatusLike> {
  /** The object with the status that was written last, if the cache from which it comes does not have that yet. */
  latest<T extends WithStatus<S>>(object: T): T;
  /**
   * Writes `status` if it differs from that of `object`, which must come from `latest`. An object that is gone is no failure. Answers 0,
   * or after how many milliseconds to come again, where the object has had its share of writes; then nothing was written.
   */
  write(object: WithStatus<S>, status: S, signal: AbortSignal): Promise<number>;
  /** Forgets an object that is gone. */
  forget(uid: string): void;
}

/** How many writes an object may have. */
export interface WriteLimit {
  /** Writes that may follow one another at once. */
  readonly burst: number;
  /** After those, one each time this has passed. */
  readonly everyMs: number;
  /** Monotonic time in milliseconds. */
  readonly now?: () => number;
}

/** What fails and recovers many times a second must not keep the API server busy. */
export const STATUS_WRITES = { burst: 15, everyMs: 1_000 } as const satisfies WriteLimit;

interface Written<S> {
  readonly status: S;
  readonly resourceVersion: string;
}

/**
 * Assumptions: one reconcile per object at a time, and resource versions that grow (KEP-5504), without which a status could
 * be compared with an old one and a change be lost.
 */
export function createStatusWriter<S extends StatusLike>(
  kube: KubeClient,
  type: ResourceType,
  limit?: WriteLimit,
): StatusWriter<S> {
  const written = new Map<string, Written<S>>();
  const shares = new Map<string, { left: number; atMs: number }>();

  /** Takes one of the writes that the object may have; else answers when the next comes. */
  function take(uid: string): number {
    if (limit === undefined) return 0;
    const { burst, everyMs, now = performance.now.bind(performance) } = limit;
    const share = shares.get(uid) ?? { left: burst, atMs: now() };
    const left = Math.min(burst, share.left + (now() - share.atMs) / everyMs);
    const taken = left >= 1;
    shares.set(uid, { left: taken ? left - 1 : left, atMs: now() });
    return taken ? 0 : Math.ceil((1 - left) * everyMs);
  }

  return {
    latest(object) {
      const last = written.get(object.metadata.uid ?? "");
      if (last === undefined) return object;
      if (isOlder(object.metadata.resourceVersion, last.resourceVersion)) return { ...object, status: last.status };
      written.delete(object.metadata.uid ?? "");
      return object;
    },
    async write(object, status, signal) {
      if (isDeepStrictEqual(comparable(status), comparable(object.status ?? {}))) return 0;
      const waitMs = take(object.metadata.uid ?? "");
      if (waitMs > 0) return waitMs;
      const { apiVersion, kind, metadata } = object;
      const { name, namespace, uid = "" } = metadata;
      const applied = { apiVersion, kind, metadata: namespace === undefined ? { name } : { name, namespace }, status };
      try {
        const after = await kube.applyStatus<KubeObject>(type, applied, signal);
        written.set(uid, { status, resourceVersion: after.metadata.resourceVersion ?? "" });
      } catch (error) {
        if (!isKubeError(error, "not-found")) throw error;
      }
      return 0;
    },
    forget(uid) {
      written.delete(uid);
      shares.delete(uid);
    },
  };
}

/** Whether a resource version comes before another (KEP-5504); false where one of them is no number. */
export function isOlder(version: string | undefined, than: string): boolean {
  return /^\d+$/.test(version ?? "") && /^\d+$/.test(than) && BigInt(version ?? "") < BigInt(than);
}

/** A status as JSON, with its conditions in one order: the API server may keep another one. */
function comparable(status: StatusLike): unknown {
  const conditions = [...(status.conditions ?? [])].sort((a, b) => (a.type < b.type ? -1 : 1));
  return JSON.parse(JSON.stringify({ ...status, conditions }));
}
