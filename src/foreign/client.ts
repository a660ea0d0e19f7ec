import { isDeepStrictEqual } from "node:util";
import { API_GROUP, isObject } from "@headrace/contract";
import { workloadName } from "../cluster-pods.ts";
import { KafkaConnectors, KafkaConnects } from "../kinds.ts";
import type { KubeClient, KubeObject, ObjectKey, ResourceType } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import { PodDisruptionBudgets, Pods } from "../kube/resources.ts";
import { type ForeignApi, type ForeignObject, STATUS_ANNOTATION } from "./dialect.ts";
import { missingPart, prunedPart, type StatusMemory } from "./status-memory.ts";

export interface ForeignClientOptions {
  readonly kube: KubeClient;
  readonly api: ForeignApi;
  readonly memory: StatusMemory;
  readonly original: (kind: string, key: ObjectKey) => ForeignObject | undefined;
  /** A status was written: what is cached of it in our form may be another one now. */
  readonly written: (kind: string, key: ObjectKey) => void;
}

/**
 * The Kubernetes API as controllers of our own kinds use it, with those kinds in another group. Everything else is as it is.
 *
 * Nothing is made for a KafkaConnect as long as the other operator's pods of the same names are there.
 */
export function createForeignClient({ kube, api, memory, original, written }: ForeignClientOptions): KubeClient {
  const free = new Set<string>();
  const looks = new Map<string, Promise<void>>();

  function isOwnKind({ group, plural }: ResourceType): boolean {
    return group === API_GROUP && (plural === KafkaConnects.plural || plural === KafkaConnectors.plural);
  }

  function retarget<T extends KubeObject>(type: ResourceType<T>): ResourceType<T> {
    return isOwnKind(type) ? { ...type, group: api.dialect.group, version: api.version } : type;
  }

  /** What the other operator left, and what of it stands in the way: looked at once, by the first of those who make an object. */
  async function ensureFree(object: KubeObject, signal: AbortSignal): Promise<void> {
    const [owner] = object.metadata.ownerReferences ?? [];
    if (owner === undefined || owner.kind !== api.connects.kind || free.has(owner.uid)) return;
    const { namespace = "" } = object.metadata;
    const look =
      looks.get(owner.uid) ??
      makeFree({ namespace, name: workloadName(owner.name) }, signal).finally(() => looks.delete(owner.uid));
    looks.set(owner.uid, look);
    await look;
    free.add(owner.uid);
  }

  async function makeFree({ namespace, name: workload }: ObjectKey, signal: AbortSignal): Promise<void> {
    const pod = await kube.get(Pods, { namespace, name: `${workload}-0` }, signal);
    const [holder] = pod?.metadata.ownerReferences?.filter(({ controller }) => controller === true) ?? [];
    if (pod !== null && !(holder?.kind === "StatefulSet" && holder.name === workload)) {
      const whose = holder === undefined ? "somebody else" : `${holder.kind} ${holder.name}`;
      throw new KubeError(
        "forbidden",
        `pod ${pod.metadata.name} belongs to ${whose}. Stop ${api.dialect.title}'s operator for this resource and delete its pods, or remove the annotation headrace.dev/managed.`,
      );
    }
    const budget = await kube.get(PodDisruptionBudgets, { namespace, name: workload }, signal);
    // A budget has one bound, and ours is the other one.
    if (budget?.spec?.minAvailable !== undefined) {
      const { uid } = budget.metadata;
      const condition = uid === undefined ? {} : { uid };
      await kube.delete(PodDisruptionBudgets, { namespace, name: workload }, condition, signal);
    }
  }

  async function writeStatus<T extends KubeObject>(type: ResourceType<T>, object: T, signal: AbortSignal): Promise<T> {
    const key = { namespace: object.metadata.namespace ?? "", name: object.metadata.name };
    const { status } = { status: undefined, ...object };
    const uid = original(type.kind, key)?.metadata.uid;
    if (uid === undefined || !isObject(status)) throw new KubeError("not-found", `${type.kind} ${key.name} is gone`);
    const target = retarget(type);
    let after: T = await kube.replaceStatus(target, key, { uid, status }, signal);
    const seen: ForeignObject = after;
    const missing = missingPart(status, seen.status);
    if (!isDeepStrictEqual(missing, prunedPart(seen) ?? {})) {
      const text = Object.keys(missing).length === 0 ? null : JSON.stringify(missing);
      after = await kube.patch(target, key, { metadata: { uid, annotations: { [STATUS_ANNOTATION]: text } } }, signal);
    }
    memory.wrote(uid, status, seen.status);
    written(type.kind, key);
    return after;
  }

  return {
    get: (type, key, signal) => kube.get(retarget(type), key, signal),
    list: (type, namespace, labelSelector, signal) => kube.list(retarget(type), namespace, labelSelector, signal),
    create: async (type, object, signal) => {
      await ensureFree(object, signal);
      return await kube.create(type, object, signal);
    },
    apply: async (type, object, signal) => {
      await ensureFree(object, signal);
      return await kube.apply(type, object, signal);
    },
    applyStatus: (type, object, signal) =>
      isOwnKind(type) ? writeStatus(type, object, signal) : kube.applyStatus(type, object, signal),
    replaceStatus: (type, key, replacement, signal) => kube.replaceStatus(retarget(type), key, replacement, signal),
    patch: (type, key, patch, signal) =>
      kube.patch(retarget(type), key, isOwnKind(type) ? withTheirAnnotations(patch, api) : patch, signal),
    resize: (pod, resources, signal) => kube.resize(pod, resources, signal),
    delete: (type, key, options, signal) => kube.delete(retarget(type), key, options, signal),
  };
}

/** An annotation that was obeyed is removed under either prefix: the view knows it by ours. */
function withTheirAnnotations(patch: object, { dialect }: ForeignApi): object {
  if (!isObject(patch) || !isObject(patch["metadata"])) return patch;
  const metadata = patch["metadata"];
  const annotations = metadata["annotations"];
  if (!isObject(annotations)) return patch;
  const theirs = Object.entries(annotations).flatMap(([name, value]) =>
    value === null && name.startsWith(`${API_GROUP}/`)
      ? [[`${dialect.prefix}/${name.slice(API_GROUP.length + 1)}`, null] as const]
      : [],
  );
  return { ...patch, metadata: { ...metadata, annotations: { ...annotations, ...Object.fromEntries(theirs) } } };
}
