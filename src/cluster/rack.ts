import type { KafkaConnectSpec } from "@headrace/contract";
import type { Pod } from "../kube/resources.ts";
import type { Properties } from "./kafka-access.ts";

/** Labels of nodes that Kubernetes copies to the pods that it puts there (KEP-4742, on by default from 1.35). */
const COPIED: ReadonlySet<string> = new Set(["topology.kubernetes.io/zone", "topology.kubernetes.io/region"]);
/** The variable of the container that holds a rack from a label. */
const VARIABLE = "HEADRACE_RACK";

/** The label of nodes that a worker's rack comes from; null: from no label, or from one that pods do not get. */
function copiedLabel({ rack }: KafkaConnectSpec): string | null {
  const key = rack?.type === "topology-label" ? rack.topologyKey : undefined;
  return key !== undefined && COPIED.has(key) ? key : null;
}

/**
 * Where consumers are: a variable of the container. Workers need no right to look at nodes: the variable holds the pod's own label, and is
 * empty, which is no rack, where the pod has none.
 */
export function rackProperties(spec: KafkaConnectSpec): Properties {
  const given = spec.rack?.type === "environment-variable" ? spec.rack.envVarName : undefined;
  const variable = copiedLabel(spec) === null ? given : VARIABLE;
  return variable === undefined ? {} : { "consumer.client.rack": `\${env:${variable}}` };
}

/** What the container needs for that. */
export function rackEnvironment(spec: KafkaConnectSpec): readonly object[] {
  const label = copiedLabel(spec);
  if (label === null) return [];
  return [{ name: VARIABLE, valueFrom: { fieldRef: { fieldPath: `metadata.labels['${label}']` } } }];
}

/** A label that pods do not get, as a sentence. */
export function rackWithoutEffect(spec: KafkaConnectSpec): readonly string[] {
  if (spec.rack?.type !== "topology-label" || copiedLabel(spec) !== null) return [];
  return [
    `spec.rack.topologyKey ${spec.rack.topologyKey} is not applied: workers have no right to look at their nodes, and pods are told ${[...COPIED].join(" and ")} only; use one of those, or type environment-variable.`,
  ];
}

/** Pods that are on a node and have not got its label, as a sentence. */
export function rackMissing(spec: KafkaConnectSpec, pods: readonly Pod[]): readonly string[] {
  const label = copiedLabel(spec);
  if (label === null) return [];
  const without = pods.filter(({ metadata, spec: pod }) => {
    return pod?.nodeName !== undefined && metadata.labels?.[label] === undefined;
  });
  const [first] = without.map(({ metadata }) => metadata.name).toSorted();
  if (first === undefined) return [];
  return [
    `spec.rack has no effect for ${first}${without.length > 1 ? ` and ${without.length - 1} more` : ""}: the pod has no label ${label}, which its node does not have, or which this Kubernetes does not copy (from 1.35 on it does).`,
  ];
}
