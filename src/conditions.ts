import type { Condition } from "@headrace/contract";

/** A condition without its time. */
export type ConditionBody = Pick<Condition, "type" | "status" | "reason" | "message">;

/** What a reconcile found out about its object, before it becomes conditions. */
export interface Assessment {
  readonly ready: "True" | "False" | "Unknown";
  /** Stable CamelCase word. */
  readonly reason: string;
  /** One sentence. */
  readonly message: string;
  /** reconciling: on its way. stalled: needs a change from outside. settled: neither. */
  readonly progress: "settled" | "reconciling" | "stalled";
  /** Further conditions, for instance ConfigValid. */
  readonly others?: readonly ConditionBody[];
  /** Things that were asked for and not done, each as a sentence. */
  readonly warnings?: readonly string[];
}

/**
 * The conditions of an object's status.
 *
 * Ready is always there. `Reconciling` and `Stalled` follow kstatus: they are there only while True. `NotReady=True` stands beside
 * `Stalled`, and before Ready, for health checks written for Strimzi: Argo CD's calls it a failure, whatever its reason is, so it
 * is not there on the way. A condition whose status did not change keeps its transition time.
 */
export function toConditions(
  assessment: Assessment,
  previous: readonly Condition[] | undefined,
  nowMs: number,
): Condition[] {
  const { ready, reason, message, progress, others = [], warnings = [] } = assessment;
  const wanted: ConditionBody[] = [];
  if (progress === "stalled") wanted.push({ type: "NotReady", status: "True", reason, message });
  wanted.push({ type: "Ready", status: ready, reason, message });
  if (progress === "reconciling") wanted.push({ type: "Reconciling", status: "True", reason, message });
  if (progress === "stalled") wanted.push({ type: "Stalled", status: "True", reason, message });
  wanted.push(...others);
  if (warnings.length > 0) {
    wanted.push({ type: "Warning", status: "True", reason: "NotApplied", message: warnings.join(" ") });
  }
  const now = new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
  return wanted.map((condition) => {
    const before = previous?.find(({ type }) => type === condition.type);
    const kept = before?.status === condition.status ? before.lastTransitionTime : undefined;
    return { ...condition, lastTransitionTime: kept ?? now };
  });
}
