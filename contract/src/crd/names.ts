/** Names that the resources, the objects made from them and their users share. */

export const API_GROUP = "headrace.dev";
export const API_VERSION = "v1";

/** Label of a KafkaConnector (required) and of every object that the operator makes: the name of its KafkaConnect. */
export const CLUSTER_LABEL = "headrace.dev/cluster";

/** Strimzi's form of `CLUSTER_LABEL`, understood on our own kinds; ours wins if both are there. */
export const STRIMZI_CLUSTER_LABEL = "strimzi.io/cluster";

/** Holds a deleted KafkaConnector until its connector is gone from the Connect cluster. */
export const CONNECTOR_FINALIZER = "headrace.dev/connector";

/** The name in a KafkaConnector's cluster label, or undefined if it has none. */
export function clusterNameOf(labels: Readonly<Record<string, string>> | undefined): string | undefined {
  return labels?.[CLUSTER_LABEL] || labels?.[STRIMZI_CLUSTER_LABEL] || undefined;
}
