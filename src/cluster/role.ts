import { workloadName } from "../cluster-pods.ts";
import type { KafkaConnect } from "../kinds.ts";
import type { Role, RoleBinding } from "../kube/resources.ts";
import type { NamedObjects } from "./named-objects.ts";
import { objectMeta } from "./names.ts";

/** All that the workers may do in the Kubernetes API: read the very objects that their configurations name. */
export function buildRole(connect: KafkaConnect, { secrets, configMaps }: NamedObjects): Role {
  const read = (resource: string, resourceNames: readonly string[]) =>
    resourceNames.length === 0 ? [] : [{ apiGroups: [""], resources: [resource], resourceNames, verbs: ["get"] }];
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: objectMeta(connect, workloadName(connect.metadata.name), undefined),
    rules: [...read("secrets", secrets), ...read("configmaps", configMaps)],
  };
}

/** Gives the role to the workers' ServiceAccount. */
export function buildRoleBinding(connect: KafkaConnect): RoleBinding {
  const name = workloadName(connect.metadata.name);
  const { namespace = "" } = connect.metadata;
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "RoleBinding",
    metadata: objectMeta(connect, name, undefined),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
    subjects: [{ kind: "ServiceAccount", name, namespace }],
  };
}
