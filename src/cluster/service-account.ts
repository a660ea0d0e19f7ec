import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { ServiceAccount } from "../kube/resources.ts";
import { objectMeta } from "./names.ts";

/** The workers' identity. It has no rights, and its token is not mounted. */
export function buildServiceAccount(connect: KafkaConnect): ServiceAccount {
  const extra = connect.spec.template?.serviceAccount?.metadata;
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: objectMeta(connect, workloadName(connect.metadata.name), extra),
    automountServiceAccountToken: false,
  };
}
