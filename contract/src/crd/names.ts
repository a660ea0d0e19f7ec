/** Names that the resources, the objects made from them and their users share. */

export const API_GROUP = "headrace.dev";
export const API_VERSION = "v1";

/** Label of a KafkaConnector (required) and of every object that the operator makes: the name of its KafkaConnect. */
export const CLUSTER_LABEL = "headrace.dev/cluster";

/** Strimzi's form of `CLUSTER_LABEL`, understood on our own kinds; ours wins if both are there. */
export const STRIMZI_CLUSTER_LABEL = "strimzi.io/cluster";

/** Label of a KafkaConnector whose KafkaConnect is in another namespace: that namespace, which the KafkaConnect has to allow. */
export const CLUSTER_NAMESPACE_LABEL = "headrace.dev/cluster-namespace";

/** Holds a deleted KafkaConnector until its connector is gone from the Connect cluster. */
export const CONNECTOR_FINALIZER = "headrace.dev/connector";

/** The name in a KafkaConnector's cluster label, or undefined if it has none. */
export function clusterNameOf(labels: Readonly<Record<string, string>> | undefined): string | undefined {
  return labels?.[CLUSTER_LABEL] || labels?.[STRIMZI_CLUSTER_LABEL] || undefined;
}

/** The KafkaConnect that a KafkaConnector's labels name, in its own namespace unless they say otherwise; undefined if they name none. */
export function clusterKeyOf(metadata: {
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}): { readonly namespace: string; readonly name: string } | undefined {
  const name = clusterNameOf(metadata.labels);
  if (name === undefined) return undefined;
  return { namespace: metadata.labels?.[CLUSTER_NAMESPACE_LABEL] || (metadata.namespace ?? ""), name };
}

/** The connector's name in Kafka Connect. */
export function connectorNameOf(resource: {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly name?: string | undefined };
}): string {
  return resource.spec.name ?? resource.metadata.name;
}
