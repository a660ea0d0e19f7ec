import type { KafkaConnectSpec } from "@headrace/contract";
import type { Pod, StatefulSet } from "../kube/resources.ts";
import type { EnvironmentEntry } from "./environment.ts";
import { OWN_DIR, OWN_PROVIDER, type Properties } from "./kafka-access.ts";

/** Labels of nodes that Kubernetes copies to the pods that it puts there (KEP-4742, on by default from 1.35). */
const COPIED: ReadonlySet<string> = new Set(["topology.kubernetes.io/zone", "topology.kubernetes.io/region"]);
/** The variable of the container that holds a rack from a pod's label. */
const VARIABLE = "HEADRACE_RACK";
/** Where the rack from a node's label is, in a file of this name. */
export const RACK_DIR = `${OWN_DIR}/rack`;
const FILE = "rack";
/** Name of the container that reads the node. */
export const RACK_CONTAINER = "rack";

/** Where a cluster's workers learn their rack. */
export type RackSource =
  | { readonly kind: "none" }
  /** A variable of the container, which is the user's. */
  | { readonly kind: "variable"; readonly name: string }
  /** A label of the node that Kubernetes copies to the pod. */
  | { readonly kind: "pod-label"; readonly label: string }
  /** A label of the node, which a container reads before the worker starts. */
  | { readonly kind: "node-label"; readonly label: string }
  /** A label that workers cannot learn. */
  | { readonly kind: "unknown-label"; readonly label: string };

/** Where the rack comes from; `mayReadNodes`: whether the operator may let workers read their nodes. */
export function rackSource({ rack }: KafkaConnectSpec, mayReadNodes: boolean): RackSource {
  if (rack?.type === "environment-variable" && rack.envVarName !== undefined)
    return { kind: "variable", name: rack.envVarName };
  const label = rack?.type === "topology-label" ? rack.topologyKey : undefined;
  if (label === undefined) return { kind: "none" };
  if (mayReadNodes) return { kind: "node-label", label };
  return { kind: COPIED.has(label) ? "pod-label" : "unknown-label", label };
}

/** Where consumers are. The variable or the file is empty, which is no rack, where the node has no such label. */
export function rackProperties(rack: RackSource): Properties {
  switch (rack.kind) {
    case "none":
    case "unknown-label":
      return {};
    case "variable":
      return { "consumer.client.rack": `\${env:${rack.name}}` };
    case "pod-label":
      return { "consumer.client.rack": `\${env:${VARIABLE}}` };
    case "node-label":
      return { "consumer.client.rack": `\${${OWN_PROVIDER}:${RACK_DIR}:${FILE}}` };
    default:
      throw new Error(`unreachable: ${rack satisfies never}`);
  }
}

/** What the worker's container needs for that. */
export function rackEnvironment(rack: RackSource): readonly EnvironmentEntry[] {
  if (rack.kind !== "pod-label") return [];
  return [{ name: VARIABLE, valueFrom: { fieldRef: { fieldPath: `metadata.labels['${rack.label}']` } } }];
}

/** The command that writes the label of the pod's node to where the worker reads it. */
export function rackCommand(label: string): readonly string[] {
  return ["headrace-worker", "rack", label, `${RACK_DIR}/${FILE}`];
}

/** Whether pods of this template read their node when they start. */
export function readsNode(template: NonNullable<StatefulSet["spec"]>["template"] | undefined): boolean {
  return template?.spec?.initContainers?.some(({ name }) => name === RACK_CONTAINER) === true;
}

/** Prefers nodes that have the label, and another value of it for each worker; undefined: the rack is no reason to. */
export function rackAffinity(rack: RackSource, selector: Readonly<Record<string, string>>): object | undefined {
  if (rack.kind !== "node-label") return undefined;
  const apart = (topologyKey: string, weight: number) => ({
    weight,
    podAffinityTerm: { labelSelector: { matchLabels: selector }, topologyKey },
  });
  const matchExpressions = [{ key: rack.label, operator: "Exists" }];
  return {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference: { matchExpressions } }],
    },
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [apart(rack.label, 100), apart("kubernetes.io/hostname", 50)],
    },
  };
}

/** A label that workers cannot learn, as a sentence. */
export function rackWithoutEffect(rack: RackSource): readonly string[] {
  if (rack.kind !== "unknown-label") return [];
  return [
    `spec.rack.topologyKey ${rack.label} is not applied: workers have no right to look at their nodes, and pods are told ${[...COPIED].join(" and ")} only. Give the operator what it needs to let them (the chart's rack.nodeLabels), or use one of those, or type environment-variable.`,
  ];
}

/** Pods that are on a node and have not got its label, as sentences. */
export function rackMissing(rack: RackSource, pods: readonly Pod[]): readonly string[] {
  const lacking = (without: readonly Pod[], why: string) => {
    const [first] = without.map(({ metadata }) => metadata.name).toSorted();
    if (first === undefined) return [];
    const others = without.length > 1 ? ` and ${without.length - 1} more` : "";
    return [`spec.rack has no effect for ${first}${others}: ${why}.`];
  };
  if (rack.kind === "pod-label")
    return lacking(
      pods.filter(({ metadata, spec }) => spec?.nodeName !== undefined && metadata.labels?.[rack.label] === undefined),
      `the pod has no label ${rack.label}, which its node does not have, or which this Kubernetes does not copy (from 1.35 on it does)`,
    );
  if (rack.kind !== "node-label") return [];
  // Those with the same reason, such as one right that all lack, or one node, are told of together.
  const reasons = Map.groupBy(pods, toldNothing);
  return [...reasons].flatMap(([why, without]) => (why === null ? [] : lacking(without, why)));
}

/** Why the container that reads the node has found no rack: it ends well then, and leaves a message. Null: it has left none. */
function toldNothing({ status }: Pod): string | null {
  const ended = status?.initContainerStatuses?.find(({ name }) => name === RACK_CONTAINER)?.state?.terminated;
  const message = (ended?.message ?? "").trim().replace(/\.$/, "");
  return ended?.exitCode === 0 && message !== "" ? message : null;
}
