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
  /** Writes `status` if it differs from that of `object`, which must come from `latest`. An object that is gone is no failure. */
  write(object: WithStatus<S>, status: S, signal: AbortSignal): Promise<void>;
  /** Forgets an object that is gone. */
  forget(uid: string): void;
}

interface Written<S> {
  readonly status: S;
  readonly resourceVersion: string;
}

/**
 * Assumptions: one reconcile per object at a time, and resource versions that grow (KEP-5504), without which a status could
 * be compared with an old one and a change be lost.
 */
export function createStatusWriter<S extends StatusLike>(kube: KubeClient, type: ResourceType): StatusWriter<S> {
  const written = new Map<string, Written<S>>();
  return {
    latest(object) {
      const last = written.get(object.metadata.uid ?? "");
      if (last === undefined) return object;
      if (isOlder(object.metadata.resourceVersion, last.resourceVersion)) return { ...object, status: last.status };
      written.delete(object.metadata.uid ?? "");
      return object;
    },
    async write(object, status, signal) {
      if (isDeepStrictEqual(comparable(status), comparable(object.status ?? {}))) return;
      const { apiVersion, kind, metadata } = object;
      const { name, namespace, uid = "" } = metadata;
      const applied = { apiVersion, kind, metadata: namespace === undefined ? { name } : { name, namespace }, status };
      try {
        const after = await kube.applyStatus<KubeObject>(type, applied, signal);
        written.set(uid, { status, resourceVersion: after.metadata.resourceVersion ?? "" });
      } catch (error) {
        if (!isKubeError(error, "not-found")) throw error;
      }
    },
    forget: (uid) => void written.delete(uid),
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
