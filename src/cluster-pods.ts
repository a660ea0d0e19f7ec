import { API_GROUP, CLUSTER_LABEL } from "@headrace/contract";
import type { ObjectKey, ObjectMeta, Store } from "./kube/client.ts";
import type { Pod } from "./kube/resources.ts";
import type { Worker } from "./worker/connect-client.ts";

/** On a worker pod: the scheme of its REST API, if that is not http. */
export const REST_SCHEME_ANNOTATION = `${API_GROUP}/rest-scheme`;

/** Name of the StatefulSet, the headless Service, the ServiceAccount and the PodDisruptionBudget; pods add their number. */
export function workloadName(cluster: string): string {
  return `${cluster}-connect`;
}

/** On everything that is made for a cluster: the name of the workload that it belongs to, which tells workers from other pods. */
export const NAME_LABEL = `${API_GROUP}/name`;

/** Labels that select the objects of one cluster, the pods among them. */
export function selectorLabels(cluster: string): Readonly<Record<string, string>> {
  return {
    [CLUSTER_LABEL]: cluster,
    [`${API_GROUP}/kind`]: "KafkaConnect",
    [NAME_LABEL]: workloadName(cluster),
  };
}

/** `selectorLabels` in the form of a query. */
export function labelSelector(cluster: string): string {
  return Object.entries(selectorLabels(cluster))
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
}

/** The KafkaConnect that an object was made for, by its labels; undefined if it is nobody's. */
export function clusterOf(object: { readonly metadata: ObjectMeta }): ObjectKey | undefined {
  const { labels, namespace } = object.metadata;
  const name = labels?.[CLUSTER_LABEL];
  if (name === undefined || namespace === undefined || labels?.[`${API_GROUP}/kind`] !== "KafkaConnect")
    return undefined;
  return { namespace, name };
}

/** True if the pod answers requests and is not on its way out. */
export function isReady({ metadata, status }: Pod): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  return status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
}

/** The workers' pods of a cluster. */
export function podsOf(pods: Store<Pod>, { namespace, name }: ObjectKey): readonly Pod[] {
  return pods.list().filter((pod) => {
    const owner = clusterOf(pod);
    if (owner?.name !== name || owner.namespace !== namespace) return false;
    return pod.metadata.labels?.[NAME_LABEL] === workloadName(name);
  });
}

/** The ready workers of a cluster, by pod name. */
export function readyWorkers(pods: Store<Pod>, cluster: ObjectKey): readonly Worker[] {
  return podsOf(pods, cluster)
    .filter(isReady)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .flatMap(({ status }) => (status?.podIP === undefined ? [] : [{ cluster, ip: status.podIP }]));
}
