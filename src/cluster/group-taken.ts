import type { KafkaConnect } from "../kinds.ts";
import { CLAIM_FIELDS, type Claim, TOPIC_FIELDS, toClaim } from "./claim.ts";

type Field = (typeof CLAIM_FIELDS)[number];

/** What two clusters of one Kafka must not have in common. */
export interface Shared {
  readonly field: Field;
  readonly value: string;
  /** One of the brokers that both name. */
  readonly broker: string;
}

/** One who has, or wants, a group and topics. */
export interface Party {
  /** For people: kind, namespace, name and API. */
  readonly title: string;
  /** By age; of two that are equally old, by what stays the same for both. The lower one is before the other. */
  readonly rank: string;
  /** What its spec asks for; null if its KafkaConnect is gone, or not known. */
  readonly wants: Claim | null;
  /** What its workers have, or are about to get; of a cluster that is scaled to zero, what they would go on with. */
  readonly holds: readonly Claim[];
}

/** Another cluster that has what this one asks for. */
export interface Holder extends Shared {
  readonly title: string;
  /** Whether it has workers with it; if not, it was there first. */
  readonly holds: boolean;
}

/**
 * What both ask for on one Kafka: the group, or a topic, whatever it is for. Null if there is nothing, or if no broker is named by both:
 * then they may be of two Kafkas, or of one under two addresses, which cannot be told.
 */
export function sharedBy(one: KafkaConnect, other: KafkaConnect): Shared | null {
  const [ours, theirs] = [toClaim(one), toClaim(other)];
  for (const field of CLAIM_FIELDS) {
    const broker = meetingOf(ours, theirs, { field, value: ours[field] });
    if (broker !== null) return { field, value: ours[field], broker };
  }
  return null;
}

/** A KafkaConnect with what its workers have. */
export function toParty(connect: KafkaConnect, holds: readonly Claim[]): Party {
  const { apiVersion, metadata } = connect;
  const { creationTimestamp = "", namespace = "", name, uid = "" } = metadata;
  return {
    title: `KafkaConnect ${namespace}/${name} of ${apiVersion}`,
    rank: [creationTimestamp, namespace, name, apiVersion, uid].join(" "),
    wants: toClaim(connect),
    holds,
  };
}

/**
 * Who of `others` has what `own` asks for; null if it may have it. Whoever has workers with something keeps it, also from those that are
 * older. Age decides among those that only ask, of whom one that is kept waiting itself keeps nobody waiting; and between two that have
 * the same, as workers from before this was looked at may.
 */
export function holderOf(own: Party, others: readonly Party[]): Holder | null {
  return createCourt([own, ...others].toSorted((a, b) => (a.rank < b.rank ? -1 : 1))).holderOf(own);
}

function createCourt(parties: readonly Party[]) {
  const known = new Map<Party, Holder | null>();

  function conflict(own: Party, other: Party): Holder | null {
    const { wants } = own;
    if (wants === null) return null;
    for (const field of CLAIM_FIELDS) {
      const thing = { field, value: wants[field] };
      const meeting = (claim: Claim) => meetingOf(wants, claim, thing);
      const held = other.holds.map(meeting).find((broker) => broker !== null);
      const broker = held ?? (other.wants === null ? null : meeting(other.wants));
      if (broker === null) continue;
      const rivals = held === undefined && other.wants !== null ? [other.wants] : other.holds;
      const isOwn = own.holds.some((claim) => rivals.some((rival) => meetingOf(claim, rival, thing) !== null));
      const isBehind = other.rank < own.rank;
      const loses = held === undefined ? !isOwn && isBehind && find(other) === null : !isOwn || isBehind;
      if (loses) return { ...thing, broker, title: other.title, holds: held !== undefined };
    }
    return null;
  }

  /** Ends, since it asks only about those that were there before. */
  function find(own: Party): Holder | null {
    const before = known.get(own);
    if (before !== undefined) return before;
    const conflicts = parties.flatMap((other) => (other === own ? [] : (conflict(own, other) ?? [])));
    const found = conflicts.find(({ holds }) => holds) ?? conflicts[0] ?? null;
    known.set(own, found);
    return found;
  }

  return { holderOf: find };
}

/** A broker that both name, if both name the thing; else null. */
function meetingOf(one: Claim, other: Claim, { field, value }: Pick<Shared, "field" | "value">): string | null {
  if (value === "" || !hasThing(one, field, value) || !hasThing(other, field, value)) return null;
  return one.brokers.find((broker) => other.brokers.includes(broker)) ?? null;
}

function hasThing(claim: Claim, field: Field, value: string): boolean {
  return field === "groupId" ? claim.groupId === value : TOPIC_FIELDS.some((topic) => claim[topic] === value);
}

/** Who has what, and what to do, as sentences. `workers`: how many this cluster has. */
export function describeHolder({ field, value, broker, title, holds }: Holder, workers: number): string {
  const what = field === "groupId" ? `The group ${value}` : `The topic ${value}`;
  const why = holds ? "whose workers have it" : "which is older";
  const effect =
    workers === 0
      ? "Nothing is made for this one."
      : `Those of this one (${workers}) run on as they are; there may only become fewer of them.`;
  return `${what} of Kafka at ${broker} belongs to ${title}, ${why}. ${effect} Set spec.replicas to 0, then give it another spec.${field}; or delete the other.`;
}
