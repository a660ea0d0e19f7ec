import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { ServiceAccount } from "../kube/resources.ts";
import { objectMeta } from "./names.ts";

/** The workers' identity. Its rights are those of `role.ts`; pods mount its token where they want it. */
export function buildServiceAccount(connect: KafkaConnect): ServiceAccount {
  const extra = connect.spec.template?.serviceAccount?.metadata;
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: objectMeta(connect, workloadName(connect.metadata.name), extra),
    automountServiceAccountToken: false,
  };
}
