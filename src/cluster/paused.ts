import { API_GROUP, type KafkaConnectStatus } from "@headrace/contract";
import type { KafkaConnect } from "../kinds.ts";

/** Annotations that stop the operator from touching a cluster while they are "true". */
const PAUSE_ANNOTATIONS = [`${API_GROUP}/pause-reconciliation`, "strimzi.io/pause-reconciliation"] as const;

/** Whether its user wants the operator to leave the cluster alone. */
export function isPaused({ metadata }: Pick<KafkaConnect, "metadata">): boolean {
  return PAUSE_ANNOTATIONS.some((name) => metadata.annotations?.[name] === "true");
}

/**
 * The status of a paused cluster: as it was, `observedGeneration` included, since nothing newer has been looked at, with
 * ReconciliationPaused beside it. Nothing is on its way any more.
 */
export function toPausedStatus({ status }: KafkaConnect, nowMs: number): KafkaConnectStatus {
  const now = new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
  const known = (status?.conditions ?? []).filter(
    ({ type }) => type !== "Reconciling" && type !== "ReconciliationPaused",
  );
  const ready = {
    type: "Ready",
    status: "Unknown" as const,
    reason: "ReconciliationPaused",
    message: "Nothing has been looked at yet.",
    lastTransitionTime: now,
  };
  const paused = {
    type: "ReconciliationPaused",
    status: "True" as const,
    reason: "Annotation",
    message: "The operator leaves this cluster alone until its pause-reconciliation annotation is removed.",
    lastTransitionTime:
      status?.conditions?.find(({ type }) => type === "ReconciliationPaused")?.lastTransitionTime ?? now,
  };
  return {
    ...status,
    conditions: [...(known.some(({ type }) => type === "Ready") ? known : [ready, ...known]), paused],
  };
}
