import type { CoreV1Event } from "@kubernetes/client-node/dist/gen/models/CoreV1Event.js";
import type { V1ConfigMap } from "@kubernetes/client-node/dist/gen/models/V1ConfigMap.js";
import type { V1Lease } from "@kubernetes/client-node/dist/gen/models/V1Lease.js";
import type { V1NetworkPolicy } from "@kubernetes/client-node/dist/gen/models/V1NetworkPolicy.js";
import type { V1Pod } from "@kubernetes/client-node/dist/gen/models/V1Pod.js";
import type { V1PodDisruptionBudget } from "@kubernetes/client-node/dist/gen/models/V1PodDisruptionBudget.js";
import type { V1Role } from "@kubernetes/client-node/dist/gen/models/V1Role.js";
import type { V1RoleBinding } from "@kubernetes/client-node/dist/gen/models/V1RoleBinding.js";
import type { V1Secret } from "@kubernetes/client-node/dist/gen/models/V1Secret.js";
import type { V1Service } from "@kubernetes/client-node/dist/gen/models/V1Service.js";
import type { V1ServiceAccount } from "@kubernetes/client-node/dist/gen/models/V1ServiceAccount.js";
import type { V1StatefulSet } from "@kubernetes/client-node/dist/gen/models/V1StatefulSet.js";
import type { KubeObject, ResourceType } from "./client.ts";

/** A model of the client library as it is on the wire: times are strings, everything is read-only. */
type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer E)[]
    ? readonly Wire<E>[]
    : T extends object
      ? { readonly [K in keyof T]: Wire<T[K]> }
      : T;

type Typed<T> = KubeObject & Omit<Wire<T>, keyof KubeObject>;

export type Pod = Typed<V1Pod>;
export type Service = Typed<V1Service>;
export type ConfigMap = Typed<V1ConfigMap>;
export type Secret = Typed<V1Secret>;
export type ServiceAccount = Typed<V1ServiceAccount>;
export type StatefulSet = Typed<V1StatefulSet>;
export type Event = Typed<CoreV1Event>;
export type Lease = Typed<V1Lease>;
export type Role = Typed<V1Role>;
export type RoleBinding = Typed<V1RoleBinding>;
export type ClusterRoleBinding = KubeObject & {
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
};
export type PodDisruptionBudget = Typed<V1PodDisruptionBudget>;
export type NetworkPolicy = Typed<V1NetworkPolicy>;

export const Pods: ResourceType<Pod> = { group: "", version: "v1", plural: "pods", kind: "Pod" };
export const Services: ResourceType<Service> = { group: "", version: "v1", plural: "services", kind: "Service" };
export const ConfigMaps: ResourceType<ConfigMap> = {
  group: "",
  version: "v1",
  plural: "configmaps",
  kind: "ConfigMap",
};
/** Only its metadata is of interest. */
export const Namespaces: ResourceType = { group: "", version: "v1", plural: "namespaces", kind: "Namespace" };
export const Secrets: ResourceType<Secret> = { group: "", version: "v1", plural: "secrets", kind: "Secret" };
export const ServiceAccounts: ResourceType<ServiceAccount> = {
  group: "",
  version: "v1",
  plural: "serviceaccounts",
  kind: "ServiceAccount",
};
export const Events: ResourceType<Event> = { group: "", version: "v1", plural: "events", kind: "Event" };
export const StatefulSets: ResourceType<StatefulSet> = {
  group: "apps",
  version: "v1",
  plural: "statefulsets",
  kind: "StatefulSet",
};
export const Leases: ResourceType<Lease> = {
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
};
export const Roles: ResourceType<Role> = {
  group: "rbac.authorization.k8s.io",
  version: "v1",
  plural: "roles",
  kind: "Role",
};
export const RoleBindings: ResourceType<RoleBinding> = {
  group: "rbac.authorization.k8s.io",
  version: "v1",
  plural: "rolebindings",
  kind: "RoleBinding",
};
/** Only its subjects are of interest: the roles that others have bound stay theirs. */
export const ClusterRoleBindings: ResourceType<ClusterRoleBinding> = {
  group: "rbac.authorization.k8s.io",
  version: "v1",
  plural: "clusterrolebindings",
  kind: "ClusterRoleBinding",
};
export const PodDisruptionBudgets: ResourceType<PodDisruptionBudget> = {
  group: "policy",
  version: "v1",
  plural: "poddisruptionbudgets",
  kind: "PodDisruptionBudget",
};
export const NetworkPolicies: ResourceType<NetworkPolicy> = {
  group: "networking.k8s.io",
  version: "v1",
  plural: "networkpolicies",
  kind: "NetworkPolicy",
};

/** What says which requests the API server asks a webhook about, as far as the operator looks at it. */
export interface ValidatingWebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly { readonly name: string; readonly clientConfig: WebhookClientConfig }[];
}

/** Where a webhook is: a Service or a URL. In an object to apply, what is not given stays as it is. */
export interface WebhookClientConfig {
  /** PEM of those who may have signed its certificate, in base64. */
  readonly caBundle?: string;
  readonly url?: string;
  readonly service?: { readonly name?: string; readonly namespace?: string; readonly path?: string };
}

/** They are in no namespace: their key has namespace "". */
export const ValidatingWebhookConfigurations: ResourceType<ValidatingWebhookConfiguration> = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "validatingwebhookconfigurations",
  kind: "ValidatingWebhookConfiguration",
};

/** The `apiVersion` of a type's objects: `v1`, `apps/v1`, … */
export function apiVersionOf(type: ResourceType): string {
  return type.group === "" ? type.version : `${type.group}/${type.version}`;
}
