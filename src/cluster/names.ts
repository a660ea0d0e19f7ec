import { API_GROUP, CLUSTER_LABEL } from "@headrace/contract";
import type { KafkaConnect } from "../kinds.ts";
import type { ObjectKey, ObjectMeta } from "../kube/client.ts";

/** Name of the StatefulSet, the headless Service, the ServiceAccount and the PodDisruptionBudget; pods add their number. */
export function workloadName(cluster: string): string {
  return `${cluster}-connect`;
}

/** Name of the Service in front of the REST API. */
export function apiServiceName(cluster: string): string {
  return `${cluster}-connect-api`;
}

export const REST_PORT = 8083;
export const METRICS_PORT = 9404;

/** On a worker pod: the hash of the template it was made from. */
export const REVISION_ANNOTATION = `${API_GROUP}/revision`;

/** On a worker pod: since when it has been giving its work away, as the operator asked (RFC 3339). */
export const DRAINING_ANNOTATION = `${API_GROUP}/draining-since`;

/** Labels that select the objects of one cluster, the pods among them. */
export function selectorLabels(cluster: string): Readonly<Record<string, string>> {
  return {
    [CLUSTER_LABEL]: cluster,
    [`${API_GROUP}/kind`]: "KafkaConnect",
    [`${API_GROUP}/name`]: workloadName(cluster),
  };
}

/** `selectorLabels` in the form of a query. */
export function labelSelector(cluster: string): string {
  return Object.entries(selectorLabels(cluster))
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
}

/** Labels of every object made for a cluster. The resource's own labels are not copied: GitOps tools would prune by them. */
export function objectLabels(cluster: string): Readonly<Record<string, string>> {
  return {
    ...selectorLabels(cluster),
    [`${API_GROUP}/component-type`]: "kafka-connect",
    "app.kubernetes.io/name": "kafka-connect",
    "app.kubernetes.io/instance": cluster,
    "app.kubernetes.io/part-of": `headrace-${cluster}`,
    "app.kubernetes.io/managed-by": "headrace-operator",
  };
}

interface Extra {
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** Metadata of an object made for `connect`, owned by it, so that it goes when the KafkaConnect goes. */
export function objectMeta(connect: KafkaConnect, name: string, extra: Extra | undefined): ObjectMeta {
  const { namespace = "", name: cluster, uid = "" } = connect.metadata;
  return {
    name,
    namespace,
    labels: { ...extra?.labels, ...objectLabels(cluster) },
    ...(extra?.annotations === undefined ? {} : { annotations: extra.annotations }),
    ownerReferences: [
      {
        apiVersion: connect.apiVersion,
        kind: connect.kind,
        name: cluster,
        uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  };
}

/** The cluster that an object was made for, by its labels; undefined if it is nobody's. */
export function clusterOf(object: { readonly metadata: ObjectMeta }): ObjectKey | undefined {
  const { labels, namespace } = object.metadata;
  const name = labels?.[CLUSTER_LABEL];
  if (name === undefined || namespace === undefined || labels?.[`${API_GROUP}/kind`] !== "KafkaConnect")
    return undefined;
  return { namespace, name };
}
