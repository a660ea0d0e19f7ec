import { type Dialect, EVENT_STREAMS, STRIMZI } from "@headrace/contract";
import type { KubeObject, ResourceType } from "../kube/client.ts";

/** KafkaConnects and KafkaConnectors of another operator's API group, which are reconciled where they are. */
export interface ForeignApi {
  readonly dialect: Dialect;
  readonly version: string;
  readonly connects: ResourceType<ForeignObject>;
  readonly connectors: ResourceType<ForeignObject>;
}

/** A resource of another operator's group, as its API serves it. */
export interface ForeignObject extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** On a KafkaConnect of another group: "true" gives it, and the KafkaConnectors on it, to this operator. */
export const MANAGED_ANNOTATION = "headrace.dev/managed";

/** What the other group's schema has no place for in a status, as JSON. */
export const STATUS_ANNOTATION = "headrace.dev/status";

const DIALECTS = [STRIMZI, EVENT_STREAMS];

/** The names by which `parseForeignApi` knows an API, for people. */
export const FOREIGN_APIS: readonly string[] = DIALECTS.flatMap(({ group, versions }) =>
  versions.map((version) => `${group}/${version}`),
);

/** The API of a group (then in its newest version) or of a group and version; undefined if it is none that we know. */
export function parseForeignApi(name: string): ForeignApi | undefined {
  const [group, version] = name.split("/");
  const dialect = DIALECTS.find((one) => one.group === group);
  const served = dialect?.versions.find((one) => version === undefined || one === version);
  if (dialect === undefined || served === undefined) return undefined;
  const base = { group: dialect.group, version: served };
  return {
    dialect,
    version: served,
    connects: { ...base, plural: "kafkaconnects", kind: "KafkaConnect" },
    connectors: { ...base, plural: "kafkaconnectors", kind: "KafkaConnector" },
  };
}

/** Whether a KafkaConnect of another group is ours to reconcile. */
export function isClaimed(connect: KubeObject | undefined): boolean {
  return connect?.metadata.annotations?.[MANAGED_ANNOTATION] === "true";
}

/** The KafkaConnect that a KafkaConnector of another group names, in its own words. */
export function foreignClusterOf({ dialect }: ForeignApi, connector: KubeObject): string | undefined {
  return connector.metadata.labels?.[`${dialect.prefix}/cluster`] || undefined;
}
