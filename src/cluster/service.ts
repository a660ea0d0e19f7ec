import { selectorLabels, workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { Service } from "../kube/resources.ts";
import { apiServiceName, objectMeta, REST_PORT } from "./names.ts";

const PORTS = [{ name: "rest-api", port: REST_PORT, targetPort: "rest-api", protocol: "TCP" }] as const;

/** The Service that names the pods; it knows them before they are ready. */
export function buildHeadlessService(connect: KafkaConnect): Service {
  const { name } = connect.metadata;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: objectMeta(connect, workloadName(name), connect.spec.template?.headlessService?.metadata),
    spec: { clusterIP: "None", publishNotReadyAddresses: true, selector: selectorLabels(name), ports: PORTS },
  };
}

/** The Service that users of the REST API dial; it leads to ready workers only. */
export function buildApiService(connect: KafkaConnect): Service {
  const { name } = connect.metadata;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: objectMeta(connect, apiServiceName(name), connect.spec.template?.apiService?.metadata),
    spec: { type: "ClusterIP", selector: selectorLabels(name), ports: PORTS },
  };
}

/** Where the REST API answers inside the Kubernetes cluster. */
export function apiUrl(connect: KafkaConnect): string {
  const { name, namespace = "" } = connect.metadata;
  return `http://${apiServiceName(name)}.${namespace}.svc:${REST_PORT}`;
}
