import type { Condition } from "@headrace/contract";

/** What kstatus computes for a custom resource (sigs.k8s.io/cli-utils, pkg/kstatus/status: checkGenericProperties). */
export type Kstatus = "InProgress" | "Failed" | "Current" | "Terminating";

/** The parts of a resource that it looks at. */
export interface KstatusObject {
  readonly metadata: { readonly generation?: number; readonly deletionTimestamp?: string };
  readonly status?: {
    readonly observedGeneration?: number | undefined;
    readonly conditions?: readonly Condition[] | undefined;
  };
}

/**
 * kstatus's rules in their order: deletion; a generation that is not observed; Reconciling and Stalled where they are True; Ready, where
 * False is on its way and Unknown too. Without a Ready condition a custom resource counts as current.
 */
export function kstatusOf({ metadata, status }: KstatusObject): Kstatus {
  if (metadata.deletionTimestamp !== undefined) return "Terminating";
  const { observedGeneration, conditions = [] } = status ?? {};
  if (observedGeneration !== undefined && observedGeneration !== metadata.generation) return "InProgress";
  const conditionOf = (type: string) => conditions.find((condition) => condition.type === type)?.status;
  if (conditionOf("Reconciling") === "True") return "InProgress";
  if (conditionOf("Stalled") === "True") return "Failed";
  const ready = conditionOf("Ready");
  return ready === undefined || ready === "True" ? "Current" : "InProgress";
}

/** What is wrong with the conditions of a status at any moment, each as a sentence. A resource without a status is fine: nobody has seen it. */
export function contradictions({ metadata, status }: KstatusObject): readonly string[] {
  if (status === undefined) return [];
  const { conditions = [] } = status;
  const conditionOf = (type: string) => conditions.find((condition) => condition.type === type)?.status;
  const found: string[] = [];
  const types = conditions.map(({ type }) => type);
  if (new Set(types).size < types.length) found.push(`a condition is there twice: ${types.join()}`);
  const ready = conditionOf("Ready");
  if (ready === undefined && conditions.length > 0) found.push("there are conditions, and Ready is not among them");
  const [reconciling, stalled] = [conditionOf("Reconciling"), conditionOf("Stalled")];
  for (const [type, value] of [
    ["Reconciling", reconciling],
    ["Stalled", stalled],
  ] as const) {
    if (value !== undefined && value !== "True") found.push(`${type} is ${value}; it must be True or absent`);
  }
  if (reconciling === "True" && stalled === "True") found.push("it is both reconciling and stalled");
  if (ready === "True" && (reconciling ?? stalled) !== undefined) found.push("it is ready and yet on its way or stuck");
  if (ready !== "True" && ready !== undefined && (reconciling ?? stalled) === undefined) {
    found.push(`Ready is ${ready}, and neither Reconciling nor Stalled says whether to wait`);
  }
  if (conditions.length === 0) {
    const current = kstatusOf({ metadata, status }) === "Current";
    return current ? ["it counts as current, though it has no condition"] : [];
  }
  if (conditionOf("NotReady") !== stalled) found.push("NotReady is not there exactly while it is stalled");
  if ((status.observedGeneration ?? 0) > (metadata.generation ?? 0)) found.push("a future generation was observed");
  for (const { type, reason, message, lastTransitionTime } of conditions) {
    if (!/^[A-Z][A-Za-z]+$/.test(reason ?? "")) found.push(`the reason of ${type} is "${reason}"`);
    if (!/^[^\n]+[.!?…]$/.test(message ?? "")) found.push(`the message of ${type} is no sentence: "${message}"`);
    if (Number.isNaN(Date.parse(lastTransitionTime ?? ""))) found.push(`${type} has no time`);
  }
  return found;
}
