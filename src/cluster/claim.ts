import { API_GROUP } from "@headrace/contract";
import { z } from "zod";
import type { KafkaConnect } from "../kinds.ts";
import type { KubeObject } from "../kube/client.ts";
import { brokersOf } from "./bootstrap.ts";

const Claim = z.object({
  groupId: z.string(),
  configStorageTopic: z.string(),
  offsetStorageTopic: z.string(),
  statusStorageTopic: z.string(),
  /** Each as `brokersOf` writes it. */
  brokers: z.array(z.string()),
});

/** A group and topics of state on one Kafka. A resource of another API group that cannot be read has neither: "". */
export type Claim = Readonly<z.infer<typeof Claim>>;

export const TOPIC_FIELDS = ["configStorageTopic", "offsetStorageTopic", "statusStorageTopic"] as const;
export const CLAIM_FIELDS = ["groupId", ...TOPIC_FIELDS] as const;

/** On a StatefulSet: the claim of its workers, as JSON. It stays with what the workers have when `spec` asks for another one. */
export const HOLDS_ANNOTATION = `${API_GROUP}/holds`;

/** What the spec of a KafkaConnect asks for. */
export function toClaim({ metadata, spec }: KafkaConnect): Claim {
  const { groupId, configStorageTopic, offsetStorageTopic, statusStorageTopic, bootstrapServers } = spec;
  const brokers = [...brokersOf(bootstrapServers, metadata.namespace ?? "")];
  return { groupId, configStorageTopic, offsetStorageTopic, statusStorageTopic, brokers };
}

/** What is written on a StatefulSet; null if nothing that can be read is. */
export function readClaim(object: KubeObject): Claim | null {
  const text = object.metadata.annotations?.[HOLDS_ANNOTATION];
  if (text === undefined) return null;
  try {
    return Claim.safeParse(JSON.parse(text)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** What is written on a StatefulSet whose workers have this. */
export function toAnnotations(claim: Claim): Readonly<Record<string, string>> {
  return { [HOLDS_ANNOTATION]: JSON.stringify(claim) };
}

/** The object with the claim written on it. */
export function withClaim<T extends KubeObject>(object: T, claim: Claim): T {
  const annotations = { ...object.metadata.annotations, ...toAnnotations(claim) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** Whether group and topics are the same, whatever the brokers. */
export function namesSame(one: Claim, other: Claim): boolean {
  return CLAIM_FIELDS.every((field) => one[field] === other[field]);
}

/** The claim with the brokers of another one besides: workers of two revisions may talk to either. */
export function withBrokersOf(claim: Claim, other: Claim): Claim {
  return { ...claim, brokers: [...new Set([...claim.brokers, ...other.brokers])] };
}
