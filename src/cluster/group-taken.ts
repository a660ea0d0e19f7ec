import type { KafkaConnectSpec } from "@headrace/contract";
import type { KafkaConnect } from "../kinds.ts";
import { brokersOf } from "./bootstrap.ts";

/** What two clusters of one Kafka must not have in common. */
export interface Shared {
  readonly field: "groupId" | "configStorageTopic" | "offsetStorageTopic" | "statusStorageTopic";
  readonly value: string;
  /** One of the brokers that both name. */
  readonly broker: string;
}

/** Another KafkaConnect that has what this one asks for. */
export interface Holder extends Shared {
  readonly by: KafkaConnect;
}

const TOPICS = ["configStorageTopic", "offsetStorageTopic", "statusStorageTopic"] as const;

/**
 * What both name on one Kafka: the group, or a topic, whatever it is for. Null if there is nothing, or if no broker is named by both:
 * then they may be of two Kafkas, or of one under two addresses, which cannot be told.
 */
export function sharedBy(one: KafkaConnect, other: KafkaConnect): Shared | null {
  const field = sharedField(one.spec, other.spec);
  if (field === null) return null;
  const theirs = brokersOf(other.spec.bootstrapServers, other.metadata.namespace ?? "");
  const broker = [...brokersOf(one.spec.bootstrapServers, one.metadata.namespace ?? "")].find((own) => theirs.has(own));
  return broker === undefined ? null : { field, value: one.spec[field], broker };
}

/** A resource of another group that cannot be read has neither a group nor topics. */
function sharedField(one: KafkaConnectSpec, other: KafkaConnectSpec): Shared["field"] | null {
  if (one.groupId !== "" && one.groupId === other.groupId) return "groupId";
  const taken = TOPICS.map((topic) => other[topic]);
  return TOPICS.find((topic) => one[topic] !== "" && taken.includes(one[topic])) ?? null;
}

/** The oldest of those that were there before `connect` and have its group, or a topic of it; null if it may have them. */
export function holderOf(connect: KafkaConnect, all: readonly KafkaConnect[]): Holder | null {
  for (const other of all.filter((one) => isOlder(one, connect)).toSorted((a, b) => (isOlder(a, b) ? -1 : 1))) {
    const shared = sharedBy(connect, other);
    if (shared !== null) return { ...shared, by: other };
  }
  return null;
}

function isOlder(one: KafkaConnect, other: KafkaConnect): boolean {
  return rankOf(one) < rankOf(other);
}

/** By age; of two that are equally old, by what stays the same for both. */
function rankOf({ apiVersion, metadata }: KafkaConnect): string {
  const { creationTimestamp = "", namespace = "", name, uid = "" } = metadata;
  return [creationTimestamp, namespace, name, apiVersion, uid].join(" ");
}

/** Who has what, and what to do, as sentences. */
export function describeHolder({ field, value, broker, by }: Holder): string {
  const { namespace, name } = by.metadata;
  const what = field === "groupId" ? `The group ${value}` : `The topic ${value}`;
  const whose = `KafkaConnect ${namespace}/${name} of ${by.apiVersion}`;
  return `${what} of Kafka at ${broker} belongs to ${whose}, which is older. Nothing is made for this one. Give it another spec.${field}, or delete the other.`;
}
