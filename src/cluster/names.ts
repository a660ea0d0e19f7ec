import { API_GROUP } from "@headrace/contract";
import { selectorLabels, workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { ObjectMeta } from "../kube/client.ts";

/** Name of the Service in front of the REST API. */
export function apiServiceName(cluster: string): string {
  return `${cluster}-connect-api`;
}

/** Name of the Secret that worker pods mount: their certificate for REST, its key, and whom they trust. */
export function restSecretName(cluster: string): string {
  return `${workloadName(cluster)}-tls`;
}

/** The part of a pod's name in the cluster's DNS that all pods of a cluster have: they are named by its headless Service. */
export function podDomain(cluster: string, namespace: string): string {
  return `${workloadName(cluster)}.${namespace}.svc`;
}

export const REST_PORT = 8083;
/** Plain HTTP inside the pod of a JVM worker whose REST API is closed: for its own probes only. */
export const LOOPBACK_PORT = 18083;
export const METRICS_PORT = 9404;

/** On a worker pod: the hash of the template it was made from. */
export const REVISION_ANNOTATION = `${API_GROUP}/revision`;

/** On the pod of a JVM worker: the certificate that it was started with, and those that it trusts, as `certificatesMark` writes it. */
export const CERTIFICATES_ANNOTATION = `${API_GROUP}/rest-certificates`;

/** On a worker pod: since when it has been giving its work away, as the operator asked (RFC 3339). */
export const DRAINING_ANNOTATION = `${API_GROUP}/draining-since`;

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
