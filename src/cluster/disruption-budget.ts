import { selectorLabels, workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { PodDisruptionBudget } from "../kube/resources.ts";
import { objectMeta } from "./names.ts";

/** Bounds how many workers evictions take away at a time. */
export function buildDisruptionBudget(connect: KafkaConnect): PodDisruptionBudget {
  const { name } = connect.metadata;
  const template = connect.spec.template?.podDisruptionBudget;
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: objectMeta(connect, workloadName(name), template?.metadata),
    spec: { maxUnavailable: template?.maxUnavailable ?? 1, selector: { matchLabels: selectorLabels(name) } },
  };
}
