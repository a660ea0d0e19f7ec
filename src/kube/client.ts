import type { Pod } from "./resources.ts";

/** The operator's door to the Kubernetes API. Everything outside `kube/` knows only these types. */

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly deletionTimestamp?: string;
  readonly creationTimestamp?: string;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Any Kubernetes object. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** A kind of resource as the API serves it, for instance `{ group: "apps", version: "v1", plural: "statefulsets", kind: "StatefulSet" }`; group "" is core. */
export interface ResourceType<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  /** Phantom: ties the type of the objects to the resource. */
  readonly example?: T;
}

export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

/** All calls have a deadline besides `signal`. Failures are KubeError with the API's reason and status code. */
export interface KubeClient {
  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, signal: AbortSignal): Promise<T | null>;
  list<T extends KubeObject>(
    type: ResourceType<T>,
    namespace: string | null,
    labelSelector: string | null,
    signal: AbortSignal,
  ): Promise<readonly T[]>;
  create<T extends KubeObject>(type: ResourceType<T>, object: T, signal: AbortSignal): Promise<T>;
  /** Server-side apply as field manager `headrace`, forced: creates or updates what is named in `object` and nothing else. */
  apply<T extends KubeObject>(type: ResourceType<T>, object: T, signal: AbortSignal): Promise<T>;
  /** Server-side apply of the status subresource. `object` has apiVersion, kind, metadata.name/namespace and status. */
  applyStatus<T extends KubeObject>(type: ResourceType<T>, object: T, signal: AbortSignal): Promise<T>;
  /**
   * Puts `status` in the place of the whole status of the object with this `uid`. Unlike an apply, fields that the schema of the
   * resource does not know are pruned silently, as in resources whose schema is somebody else's.
   */
  replaceStatus<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    replacement: { readonly uid: string; readonly status: object },
    signal: AbortSignal,
  ): Promise<T>;
  /** JSON merge patch, for finalizers and annotations; `patch.metadata.resourceVersion` makes it conditional. */
  patch<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey, patch: object, signal: AbortSignal): Promise<T>;
  /** Changes the resources of a running pod's containers in place, by container (KEP-1287); the kubelet does it in its time. */
  resize(pod: ObjectKey, resources: Readonly<Record<string, object>>, signal: AbortSignal): Promise<Pod>;
  /** Resolves also if it is gone already. `uid` makes it conditional. */
  delete(
    type: ResourceType,
    key: ObjectKey,
    options: {
      readonly uid?: string;
      readonly gracePeriodSeconds?: number;
      readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
    },
    signal: AbortSignal,
  ): Promise<void>;
}

/** A cache of one kind, kept by a list-watch loop (`watcher.ts`). */
export interface Store<T extends KubeObject> {
  /** True once the first list is in. `namespace`: whether what is in that namespace is, whatever is missing of others. */
  synced(namespace?: string): boolean;
  get(key: ObjectKey): T | undefined;
  list(): readonly T[];
  /** Told of each object that was added, changed or removed; `previous` is undefined when added, `current` when removed. */
  onChange(
    listener: (change: { readonly previous: T | undefined; readonly current: T | undefined }) => void,
  ): () => void;
}

/** Writes Kubernetes Events. Repeats of the same become a count. Never throws; never delays the caller. */
export interface EventRecorder {
  record(
    about: KubeObject,
    event: { readonly type: "Normal" | "Warning"; readonly reason: string; readonly message: string },
  ): void;
}
