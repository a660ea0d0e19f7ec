import { API_GROUP, type KafkaConnectStatus } from "@headrace/contract";
import { toConditions } from "../conditions.ts";
import type { KafkaConnect } from "../kinds.ts";

/** Annotations that stop the operator from touching a cluster while they are "true". */
const PAUSE_ANNOTATIONS = [`${API_GROUP}/pause-reconciliation`, "strimzi.io/pause-reconciliation"] as const;

/** Whether its user wants the operator to leave the cluster alone. */
export function isPaused({ metadata }: Pick<KafkaConnect, "metadata">): boolean {
  return PAUSE_ANNOTATIONS.some((name) => metadata.annotations?.[name] === "true");
}

/**
 * The status of a paused cluster: as it was, `observedGeneration` included, since nothing newer has been looked at, with
 * ReconciliationPaused beside it. Nothing is on its way any more: what is not ready waits for whoever has paused it (Stalled).
 */
export function toPausedStatus({ status }: KafkaConnect, nowMs: number): KafkaConnectStatus {
  const before = status?.conditions;
  const paused = { type: "ReconciliationPaused", status: "True", reason: "Annotation", message: LEFT_ALONE } as const;
  const { status: ready = "Unknown", reason = "", message = "" } = before?.find(({ type }) => type === "Ready") ?? {};
  const known =
    reason === ""
      ? { reason: "ReconciliationPaused", message: "Nothing has been looked at yet." }
      : { reason, message };
  const assessment = { ready, ...known, progress: ready === "True" ? "settled" : "stalled" } as const;
  const kept = (before ?? []).filter(({ type }) => !OWN.has(type));
  return { ...status, conditions: [...toConditions({ ...assessment, others: [paused] }, before, nowMs), ...kept] };
}

const LEFT_ALONE = "The operator leaves this cluster alone until its pause-reconciliation annotation is removed.";
/** What is written here; everything else stays. */
const OWN: ReadonlySet<string> = new Set(["Ready", "NotReady", "Reconciling", "Stalled", "ReconciliationPaused"]);
