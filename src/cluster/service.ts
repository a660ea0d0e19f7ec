import type { Template } from "@headrace/contract";
import { selectorLabels, workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { Service } from "../kube/resources.ts";
import { hasJmx, JMX_PORT } from "./jmx-access.ts";
import { apiServiceName, objectMeta, REST_PORT } from "./names.ts";
import { restScheme } from "./rest-security.ts";

/** JMX is there as in Strimzi's Services, where it is on. */
function ports({ spec }: KafkaConnect) {
  return [
    { name: "rest-api", port: REST_PORT, targetPort: "rest-api", protocol: "TCP" },
    ...(hasJmx(spec) ? [{ name: "jmx", port: JMX_PORT, targetPort: "jmx", protocol: "TCP" }] : []),
  ];
}

/** The Service that names the pods; it knows them before they are ready. */
export function buildHeadlessService(connect: KafkaConnect): Service {
  const { name } = connect.metadata;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: objectMeta(connect, workloadName(name), connect.spec.template?.headlessService?.metadata),
    spec: {
      clusterIP: "None",
      publishNotReadyAddresses: true,
      ...families(connect.spec.template?.headlessService),
      selector: selectorLabels(name),
      ports: ports(connect),
    },
  };
}

/** The Service that users of the REST API dial; it leads to ready workers only. */
export function buildApiService(connect: KafkaConnect): Service {
  const { name } = connect.metadata;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: objectMeta(connect, apiServiceName(name), connect.spec.template?.apiService?.metadata),
    spec: {
      type: "ClusterIP",
      ...families(connect.spec.template?.apiService),
      selector: selectorLabels(name),
      ports: ports(connect),
    },
  };
}

function families(template: NonNullable<Template["apiService"]> | undefined) {
  const { ipFamilyPolicy, ipFamilies } = template ?? {};
  return {
    ...(ipFamilyPolicy === undefined ? {} : { ipFamilyPolicy }),
    ...(ipFamilies === undefined ? {} : { ipFamilies }),
  };
}

/** Where the REST API answers inside the Kubernetes cluster. */
export function apiUrl(connect: KafkaConnect): string {
  const { name, namespace = "" } = connect.metadata;
  return `${restScheme(connect.spec)}://${apiServiceName(name)}.${namespace}.svc:${REST_PORT}`;
}
