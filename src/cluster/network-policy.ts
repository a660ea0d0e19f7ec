import { API_GROUP } from "@headrace/contract";
import { selectorLabels, workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { NetworkPolicy } from "../kube/resources.ts";
import { hasJmx, JMX_PORT } from "./jmx-access.ts";
import { METRICS_PORT, objectMeta, REST_PORT } from "./names.ts";

/** Where the operator's own pods are. */
export interface OperatorPods {
  readonly namespace: string;
}

/** Label of the operator's pods; its Deployment has to carry it. */
const OPERATOR_LABELS = { [`${API_GROUP}/kind`]: "operator" };

/**
 * Who may open connections to the workers. The REST API: the operator, the workers themselves, and `spec.rest.allowFrom`; an open API
 * without such a list: everybody. Metrics and probes, and JMX where it is on: everybody. What workers may reach is not restricted.
 */
export function buildNetworkPolicy(connect: KafkaConnect, operator: OperatorPods | null): NetworkPolicy {
  const { name } = connect.metadata;
  const { rest, template } = connect.spec;
  const isOpen = rest?.security === "Open" && rest.allowFrom === undefined;
  const from = [
    { podSelector: { matchLabels: selectorLabels(name) } },
    operatorPeer(operator),
    ...(rest?.allowFrom ?? []),
  ];
  return toNetworkPolicy({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: objectMeta(connect, workloadName(name), template?.networkPolicy?.metadata),
    spec: {
      podSelector: { matchLabels: selectorLabels(name) },
      policyTypes: ["Ingress"],
      ingress: [
        { ports: [{ port: REST_PORT, protocol: "TCP" }], ...(isOpen ? {} : { from }) },
        { ports: [{ port: METRICS_PORT, protocol: "TCP" }] },
        ...(hasJmx(connect.spec) ? [{ ports: [{ port: JMX_PORT, protocol: "TCP" }] }] : []),
      ],
    },
  });
}

/** The operator's pods in its own namespace; wherever they are, if that is not known. */
function operatorPeer(operator: OperatorPods | null) {
  const namespaceLabels = operator === null ? {} : { "kubernetes.io/metadata.name": operator.namespace };
  return {
    namespaceSelector: operator === null ? {} : { matchLabels: namespaceLabels },
    podSelector: { matchLabels: OPERATOR_LABELS },
  };
}

/** As it goes over the wire; the API server checks what users put into it. */
function toNetworkPolicy(fields: object): NetworkPolicy {
  return JSON.parse(JSON.stringify(fields));
}
