import { isDeepStrictEqual } from "node:util";
import { API_GROUP } from "@headrace/contract";
import { podsOf } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { EventRecorder, KubeClient, KubeObject, ObjectKey, Store } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { type Pod, Pods, type StatefulSet } from "../kube/resources.ts";
import { isOlder } from "../status-writer.ts";
import { containerName } from "./container.ts";
import { ROLL_ANNOTATION } from "./manual-roll.ts";
import { REVISION_ANNOTATION } from "./names.ts";

const GROUPS = [API_GROUP, "strimzi.io"] as const;

/** Whether the CPU and memory of running workers are to be changed in place. */
export function isResizedInPlace({ metadata }: Pick<KubeObject, "metadata">): boolean {
  return GROUPS.some((group) => metadata.annotations?.[`${group}/in-place-resizing`] === "true");
}

function waitsForDeferred({ metadata }: Pick<KubeObject, "metadata">): boolean {
  return GROUPS.some((group) => metadata.annotations?.[`${group}/in-place-resizing-wait-for-deferred`] === "true");
}

/** What is to be done with a pod that should have other resources. */
export type Resize =
  | { readonly kind: "none" }
  | { readonly kind: "resize" }
  /** The kubelet has been told, and does it now or when its node has room. */
  | { readonly kind: "wait" }
  /** It cannot be done in place; `why` goes on a sentence. */
  | { readonly kind: "replace"; readonly why: string };

type Resources = NonNullable<NonNullable<Pod["spec"]>["containers"][number]["resources"]>;

/**
 * Decides for one pod. `wanted` are the resources of the StatefulSet's template as the API server has them: it writes quantities in
 * a form of its own.
 */
export function planResize(
  pod: Pod,
  container: string,
  { wanted, patient }: { readonly wanted: Resources; readonly patient: boolean },
): Resize {
  const { resources = {} } = pod.spec?.containers.find(({ name }) => name === container) ?? {};
  if (!isDeepStrictEqual(resources, wanted)) return { kind: "resize" };
  const pending = pod.status?.conditions?.find(({ type, status }) => type === "PodResizePending" && status === "True");
  if (pending === undefined) return { kind: "none" };
  if (pending.reason === "Infeasible")
    return { kind: "replace", why: `its node cannot give it that: ${pending.message}` };
  return patient ? { kind: "wait" } : { kind: "replace", why: `its node has no room now: ${pending.message}` };
}

export interface ResizeDeps {
  readonly kube: KubeClient;
  readonly pods: Store<Pod>;
  readonly events: EventRecorder;
}

export interface ResizeSubject {
  readonly connect: KafkaConnect;
  readonly statefulSet: StatefulSet | undefined;
  readonly resized: Resized;
}

/** Pods by uid, with the version that resizing each of them has made: until the watch tells of it, the pod that is known is a former one. */
export type Resized = Map<string, string>;

/**
 * Changes the resources of running workers in place, once; a worker of which that is not possible is replaced. Answers which worker does not
 * have them yet, without a full stop; null if all have.
 */
export async function resizePods(
  { kube, pods, events }: ResizeDeps,
  { connect, statefulSet, resized }: ResizeSubject,
  signal: AbortSignal,
): Promise<string | null> {
  if (!isResizedInPlace(connect)) return null;
  const { namespace = "", name: cluster } = connect.metadata;
  const container = containerName(cluster);
  const template = statefulSet?.spec?.template;
  const wanted = template?.spec?.containers.find(({ name }) => name === container)?.resources ?? {};
  const revision = template?.metadata?.annotations?.[REVISION_ANNOTATION];
  const patient = waitsForDeferred(connect);

  async function replace({ metadata }: Pod, why: string): Promise<void> {
    if (metadata.annotations?.[ROLL_ANNOTATION] === "true") return;
    const message = `${metadata.name} gets its resources by being replaced: ${why}.`;
    events.record(connect, { type: "Normal", reason: "NotResizedInPlace", message });
    const annotations = { [ROLL_ANNOTATION]: "true" };
    await kube.patch(Pods, keyOf(metadata.name), { metadata: { annotations, uid: metadata.uid } }, signal);
  }

  async function resize(pod: Pod): Promise<void> {
    try {
      const after = await kube.resize(keyOf(pod.metadata.name), { [container]: wanted }, signal);
      resized.set(pod.metadata.uid ?? "", after.metadata.resourceVersion ?? "");
      const { kind } = planResize(after, container, { wanted, patient });
      if (kind === "resize") await replace(pod, "the API server keeps some of the old ones");
      else
        events.record(connect, {
          type: "Normal",
          reason: "Resized",
          message: `${pod.metadata.name} is resized in place.`,
        });
    } catch (error) {
      if (!isKubeError(error, "invalid", "forbidden", "not-found")) throw error;
      await replace(pod, error.message);
    }
  }

  function keyOf(name: string): ObjectKey {
    return { namespace, name };
  }

  const own = podsOf(pods, { namespace, name: cluster });
  for (const uid of resized.keys()) if (own.every(({ metadata }) => metadata.uid !== uid)) resized.delete(uid);
  const pending: string[] = [];
  for (const pod of own) {
    const { name, deletionTimestamp, annotations, uid = "", resourceVersion } = pod.metadata;
    if (deletionTimestamp !== undefined || annotations?.[REVISION_ANNOTATION] !== revision) continue;
    const isTold = isOlder(resourceVersion, resized.get(uid) ?? "");
    const step: Resize = isTold ? { kind: "none" } : planResize(pod, container, { wanted, patient });
    if (step.kind === "resize") await resize(pod);
    if (step.kind === "replace") await replace(pod, step.why);
    if (step.kind === "wait") pending.push(`${name} waits until its node has room for its new resources`);
    else if (isTold || step.kind !== "none") pending.push(`${name} is being given its new resources`);
  }
  return pending[0] ?? null;
}
