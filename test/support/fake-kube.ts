import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { EventRecorder, KubeClient, KubeObject, ObjectKey, ResourceType, Store } from "#operator/kube/client.ts";
import { KubeError, type KubeErrorCode } from "#operator/kube/errors.ts";
import { Pods } from "#operator/kube/resources.ts";
import { type Json, mergePatch } from "./merge-patch.ts";

/** A stored object, as plain JSON. */
interface Stored {
  readonly type: ResourceType;
  body: Body;
  /** What `apply` and `applyStatus` named last time: what they no longer name is removed, as its only owner gave it up. */
  applied: Json | undefined;
  appliedStatus: Json | undefined;
}

interface Metadata {
  readonly [key: string]: Json | undefined;
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly finalizers?: readonly string[];
  readonly deletionTimestamp?: string;
}

interface Body {
  readonly [key: string]: Json | undefined;
  readonly metadata: Metadata;
}

type Verb = Exclude<keyof KubeClient, symbol>;

/** An event as it was recorded, with the object it is about. */
export interface RecordedEvent {
  readonly about: ObjectKey & { readonly kind: string };
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/**
 * An API server in memory, for tests of reconcilers: uid, resourceVersion, generation, finalizers, optimistic
 * concurrency, status as a subresource of every type, server-side apply with one field manager (lists are atomic).
 * It has no schema, no defaults, no owner-reference collection and no label selectors beyond `a=b,c=d`.
 */
export interface FakeKube {
  readonly client: KubeClient;
  readonly recorder: EventRecorder;
  readonly events: readonly RecordedEvent[];
  /** A view that is always in step with the contents. */
  store<T extends KubeObject>(type: ResourceType<T>): Store<T>;
  /** Creates or replaces an object whole, status included, as a user, a controller or a kubelet would. */
  put<T extends KubeObject>(type: ResourceType<T>, object: T): T;
  /** The object as it is, or null. */
  find<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): T | null;
  all<T extends KubeObject>(type: ResourceType<T>): readonly T[];
  /** Removes an object whatever its finalizers say. */
  remove(type: ResourceType, key: ObjectKey): void;
  /** Makes the next call of `verb` fail with this code. */
  failNext(verb: Verb, code: KubeErrorCode, message?: string): void;
}

function decode<T extends KubeObject>(_type: ResourceType<T>, body: Body): T {
  return structuredClone(body) as unknown as T;
}

function encode(object: object): { readonly [key: string]: Json | undefined } {
  return JSON.parse(JSON.stringify(object)) as { readonly [key: string]: Json | undefined };
}

const STATUS_BY_CODE: Partial<Record<KubeErrorCode, number>> = {
  "not-found": 404,
  conflict: 409,
  "already-exists": 409,
  "too-many-requests": 429,
  invalid: 422,
  forbidden: 403,
};

function failure(code: KubeErrorCode, message: string): KubeError {
  return new KubeError(code, message, { status: STATUS_BY_CODE[code] ?? null });
}

/** What counts for the generation: everything but metadata and status. */
function wantedOf(body: { readonly [key: string]: Json | undefined }): object {
  const { metadata: _metadata, status: _status, ...wanted } = body;
  return wanted;
}

/** Paths of `previous` that `next` does not have, as a merge patch that removes them. */
function removals(previous: Json | undefined, next: Json | undefined): Json | undefined {
  if (typeof previous !== "object" || previous === null || Array.isArray(previous)) return undefined;
  const patch: Record<string, Json> = {};
  const after = typeof next === "object" && next !== null && !Array.isArray(next) ? next : {};
  for (const [key, value] of Object.entries(previous)) {
    const still = (after as Record<string, Json | undefined>)[key];
    if (still === undefined) patch[key] = null;
    else {
      const inner = removals(value, still);
      if (inner !== undefined) patch[key] = inner;
    }
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function selects(selector: string | null, body: Body): boolean {
  if (selector === null || selector === "") return true;
  const labels = (body.metadata["labels"] ?? {}) as Record<string, string>;
  return selector.split(",").every((term) => {
    const [key = "", value] = term.split("=");
    return value === undefined ? key in labels : labels[key] === value;
  });
}

export function createFakeKube(): FakeKube {
  const objects = new Map<string, Stored>();
  const listeners = new Set<(type: ResourceType, previous: Body | undefined, current: Body | undefined) => void>();
  const failures = new Map<Verb, KubeError[]>();
  const events: RecordedEvent[] = [];
  let version = 0;

  const typeKey = (type: ResourceType) => `${type.group}/${type.plural}`;
  const idOf = (type: ResourceType, key: ObjectKey) => `${typeKey(type)}/${key.namespace}/${key.name}`;
  const keyOf = (object: { readonly metadata: { readonly name: string; readonly namespace?: string } }): ObjectKey => ({
    namespace: object.metadata.namespace ?? "",
    name: object.metadata.name,
  });

  function write(type: ResourceType, id: string, changed: { readonly [key: string]: Json | undefined }): Stored {
    const stored = objects.get(id);
    const before = stored?.body;
    const meta = changed["metadata"] as unknown as Partial<Metadata> & { name: string };
    const generation =
      before === undefined
        ? 1
        : before.metadata.generation +
          (isDeepStrictEqual(wantedOf(changed), wantedOf(before)) && !marks(before, meta) ? 0 : 1);
    const candidate: Body = {
      ...changed,
      metadata: {
        ...meta,
        uid: before?.metadata.uid ?? randomUUID(),
        creationTimestamp: before?.metadata["creationTimestamp"] ?? new Date().toISOString(),
        generation,
        resourceVersion: before?.metadata.resourceVersion ?? "",
      },
    };
    if (stored !== undefined && isDeepStrictEqual(candidate, before)) return stored;
    version += 1;
    const body: Body = { ...candidate, metadata: { ...candidate.metadata, resourceVersion: String(version) } };
    const next: Stored = stored ?? { type, body, applied: undefined, appliedStatus: undefined };
    next.body = body;
    if (body.metadata.deletionTimestamp !== undefined && (body.metadata.finalizers ?? []).length === 0) {
      drop(id);
      return next;
    }
    objects.set(id, next);
    for (const listener of listeners) listener(type, before, body);
    return next;
  }

  function marks(before: Body, meta: Partial<Metadata>): boolean {
    return before.metadata.deletionTimestamp === undefined && meta.deletionTimestamp !== undefined;
  }

  function drop(id: string): void {
    const stored = objects.get(id);
    if (stored === undefined) return;
    objects.delete(id);
    for (const listener of listeners) listener(stored.type, stored.body, undefined);
  }

  function enter(verb: Verb, signal: AbortSignal): void {
    signal.throwIfAborted();
    const planned = failures.get(verb)?.shift();
    if (planned !== undefined) throw planned;
  }

  function conditional(before: Body | undefined, wanted: Json | undefined, what: string): void {
    if (typeof wanted !== "string") return;
    if (before?.metadata.resourceVersion !== wanted) throw failure("conflict", `${what} has been modified`);
  }

  function metadataOf(value: { readonly [key: string]: Json | undefined }): {
    readonly [key: string]: Json | undefined;
  } {
    return (value["metadata"] ?? {}) as { readonly [key: string]: Json | undefined };
  }

  const client: KubeClient = {
    async get(type, key, signal) {
      enter("get", signal);
      const stored = objects.get(idOf(type, key));
      return stored === undefined ? null : decode(type, stored.body);
    },
    async list(type, namespace, labelSelector, signal) {
      enter("list", signal);
      return [...objects.values()]
        .filter((stored) => typeKey(stored.type) === typeKey(type))
        .filter((stored) => namespace === null || stored.body.metadata.namespace === namespace)
        .filter((stored) => selects(labelSelector, stored.body))
        .map((stored) => decode(type, stored.body));
    },
    async create(type, object, signal) {
      enter("create", signal);
      const id = idOf(type, keyOf(object));
      if (objects.has(id)) throw failure("already-exists", `${type.plural} "${object.metadata.name}" already exists`);
      const { status: _, ...body } = encode(object);
      return decode(type, write(type, id, body).body);
    },
    async apply(type, object, signal) {
      enter("apply", signal);
      const id = idOf(type, keyOf(object));
      const { status: _, ...wanted } = encode(object);
      const stored = objects.get(id);
      const { uid, resourceVersion } = metadataOf(wanted);
      if (uid !== undefined && uid !== stored?.body.metadata.uid) throw failure("conflict", "uid mismatch");
      conditional(stored?.body, resourceVersion, object.metadata.name);
      const given = removals(stored?.applied, wanted);
      const kept = given === undefined ? stored?.body : mergePatch(stored?.body, given);
      const next = write(type, id, mergePatch(kept, wanted) as Body);
      next.applied = wanted;
      return decode(type, next.body);
    },
    async applyStatus(type, object, signal) {
      enter("applyStatus", signal);
      const stored = objects.get(idOf(type, keyOf(object)));
      if (stored === undefined) throw failure("not-found", `${type.plural} "${object.metadata.name}" not found`);
      const wanted = encode(object);
      conditional(stored.body, metadataOf(wanted)["resourceVersion"], object.metadata.name);
      const status = wanted["status"] ?? {};
      const given = removals(stored.appliedStatus, status);
      const kept = given === undefined ? stored.body["status"] : mergePatch(stored.body["status"], given);
      const next = write(type, idOf(type, keyOf(object)), { ...stored.body, status: mergePatch(kept, status) });
      next.appliedStatus = status;
      return decode(type, next.body);
    },
    async replaceStatus(type, key, { uid, status }, signal) {
      enter("replaceStatus", signal);
      const stored = objects.get(idOf(type, key));
      if (stored === undefined) throw failure("not-found", `${type.plural} "${key.name}" not found`);
      if (stored.body.metadata.uid !== uid) throw failure("invalid", "the uid is another one");
      return decode(type, write(type, idOf(type, key), { ...stored.body, status: encode(status) }).body);
    },
    async patch(type, key, patch, signal) {
      enter("patch", signal);
      const stored = objects.get(idOf(type, key));
      if (stored === undefined) throw failure("not-found", `${type.plural} "${key.name}" not found`);
      const wanted = encode(patch);
      conditional(stored.body, metadataOf(wanted)["resourceVersion"], key.name);
      const { status: _, ...body } = wanted;
      return decode(type, write(type, idOf(type, key), mergePatch(stored.body, body) as Body).body);
    },
    async resize(pod, resources, signal) {
      enter("resize", signal);
      const stored = find(Pods, pod);
      if (stored === null) throw failure("not-found", `pods "${pod.name}" not found`);
      const containers = (stored.spec?.containers ?? []).map((each) => ({
        ...each,
        resources: resources[each.name] ?? each.resources ?? {},
      }));
      const resized = { ...stored, spec: { ...stored.spec, containers } };
      return decode(Pods, write(Pods, idOf(Pods, pod), encode(resized)).body);
    },
    async delete(type, key, options, signal) {
      enter("delete", signal);
      const id = idOf(type, key);
      const stored = objects.get(id);
      if (stored === undefined) return;
      if (options.uid !== undefined && options.uid !== stored.body.metadata.uid) return;
      if ((stored.body.metadata.finalizers ?? []).length === 0) return drop(id);
      if (stored.body.metadata.deletionTimestamp !== undefined) return;
      const metadata = { ...stored.body.metadata, deletionTimestamp: new Date().toISOString() };
      write(type, id, { ...stored.body, metadata });
    },
  };

  function all<T extends KubeObject>(type: ResourceType<T>): readonly T[] {
    return [...objects.values()]
      .filter((stored) => typeKey(stored.type) === typeKey(type))
      .map((stored) => decode(type, stored.body));
  }

  function find<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): T | null {
    const stored = objects.get(idOf(type, key));
    return stored === undefined ? null : decode(type, stored.body);
  }

  return {
    client,
    recorder: {
      record: (about, event) => void events.push({ about: { ...keyOf(about), kind: about.kind }, ...event }),
    },
    events,
    store(type) {
      return {
        synced: () => true,
        get: (key) => find(type, key) ?? undefined,
        list: () => all(type),
        onChange(listener) {
          const forward = (changed: ResourceType, previous: Body | undefined, current: Body | undefined) => {
            if (typeKey(changed) !== typeKey(type)) return;
            listener({
              previous: previous === undefined ? undefined : decode(type, previous),
              current: current === undefined ? undefined : decode(type, current),
            });
          };
          listeners.add(forward);
          return () => listeners.delete(forward);
        },
      };
    },
    put(type, object) {
      return decode(type, write(type, idOf(type, keyOf(object)), encode(object)).body);
    },
    find,
    all,
    remove: (type, key) => drop(idOf(type, key)),
    failNext(verb, code, message = `${verb} failed on purpose`) {
      failures.set(verb, [...(failures.get(verb) ?? []), failure(code, message)]);
    },
  };
}
