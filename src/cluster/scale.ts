import type { GroupInfo } from "@headrace/contract";
import { handoverOf } from "./handover.ts";
import type { WorkerPod } from "./worker-pod.ts";

export interface ScaleInputs {
  readonly pods: readonly WorkerPod[];
  /** Of the StatefulSet as it is; null if there is none yet. */
  readonly current: number | null;
  readonly wanted: number;
  readonly group: GroupInfo | null;
  /** Whether workers give their work away on demand; others do so when they are stopped. */
  readonly drains: boolean;
  readonly nowMs: number;
}

export interface ScaleDecision {
  /** Number of pods to ask of the StatefulSet now. */
  readonly replicas: number;
  /** Pods to ask to give their work away, highest number first. */
  readonly drain: readonly WorkerPod[];
}

/**
 * Decides the number of pods. Up: at once. Down: all that are too many are drained together, so that no task moves twice, and
 * taken away when their work is elsewhere. Down to zero: at once, since nobody could take the work.
 */
export function planScale({ pods, current, wanted, group, drains, nowMs }: ScaleInputs): ScaleDecision {
  if (current === null || wanted >= current || wanted === 0) return { replicas: wanted, drain: [] };
  const staying = pods.some((pod) => pod.ordinal < wanted && pod.ready);
  if (!staying || !drains) return { replicas: wanted, drain: [] };
  const leaving = pods.filter((pod) => pod.ordinal >= wanted).sort((a, b) => b.ordinal - a.ordinal);
  const states = leaving.map((pod) => ({ pod, handover: handoverOf(pod, group, nowMs) }));
  if (states.every(({ handover }) => handover === "over")) return { replicas: wanted, drain: [] };
  return { replicas: current, drain: states.filter(({ handover }) => handover === "ask").map(({ pod }) => pod) };
}
