import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { Secret } from "../kube/resources.ts";
import { TRUST_FILE } from "./kafka-access.ts";
import { objectMeta } from "./names.ts";

export function trustSecretName(cluster: string): string {
  return `${workloadName(cluster)}-trusted-certs`;
}

/** The Secret with all trusted authorities in one file, as Kafka's clients want them. */
export function buildTrustSecret(connect: KafkaConnect, trusted: string): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: objectMeta(connect, trustSecretName(connect.metadata.name), undefined),
    type: "Opaque",
    data: { [TRUST_FILE]: Buffer.from(trusted).toString("base64") },
  };
}
