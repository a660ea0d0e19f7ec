import { API_GROUP } from "@headrace/contract";
import type { KubeClient, KubeObject, ObjectKey } from "../kube/client.ts";
import { Pods, StatefulSets } from "../kube/resources.ts";
import type { ObservedCluster } from "./observe.ts";

/** "true" on a pod asks to replace it, on the StatefulSet to replace all of them. */
export const ROLL_ANNOTATION = `${API_GROUP}/manual-rolling-update`;
const ANNOTATIONS = [ROLL_ANNOTATION, "strimzi.io/manual-rolling-update"] as const;

/** Whether somebody asks by an annotation to replace it. */
export function isRollRequested({ metadata }: Pick<KubeObject, "metadata">): boolean {
  return ANNOTATIONS.some((name) => metadata.annotations?.[name] === "true");
}

/**
 * Passes the wish to replace all pods on to the pods that are there now, then takes it off the StatefulSet. A pod that is made
 * meanwhile is new anyway. Interrupted in between, it is done again: a pod may be replaced twice, never not at all.
 */
export async function passOnRollRequest(
  kube: KubeClient,
  { namespace }: ObjectKey,
  { statefulSet, pods }: Pick<ObservedCluster, "statefulSet" | "pods">,
  signal: AbortSignal,
): Promise<void> {
  if (statefulSet === undefined || !isRollRequested(statefulSet)) return;
  for (const { name, uid, rollRequested } of pods) {
    if (rollRequested) continue;
    await kube.patch(
      Pods,
      { namespace, name },
      { metadata: { annotations: { [ROLL_ANNOTATION]: "true" }, uid } },
      signal,
    );
  }
  const annotations = Object.fromEntries(
    ANNOTATIONS.filter((name) => statefulSet.metadata.annotations?.[name] !== undefined).map((name) => [name, null]),
  );
  await kube.patch(StatefulSets, { namespace, name: statefulSet.metadata.name }, { metadata: { annotations } }, signal);
}
