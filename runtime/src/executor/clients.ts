import type { StringMap } from "@headrace/contract";
import type { RecordConsumer } from "../kafka/record-consumer.ts";
import type { RecordProducer } from "../kafka/record-producer.ts";
import type { TopicAdmin } from "../kafka/topic-admin.ts";

/** Whose client is opened. Both configurations are resolved. */
export interface ClientOwner {
  readonly worker: StringMap;
  readonly connectorConfig: StringMap;
  readonly connector: string;
  readonly task: number;
}

/** The Kafka clients that tasks use; the implementation stands in `kafka-clients.ts`, tests bring their own. */
export interface TaskClients {
  openSourceProducer(
    owner: ClientOwner,
    options: { readonly reportPositions: boolean; readonly stopOnFailure: boolean },
  ): Promise<RecordProducer>;
  openDeadLetterProducer(owner: ClientOwner): Promise<RecordProducer>;
  openSinkConsumer(
    owner: ClientOwner,
    subscription: { readonly topics: readonly string[] } | { readonly regex: string },
  ): Promise<RecordConsumer>;
  /** The group and client id that a sink's consumer has, overrides included. */
  sinkIdentity(owner: ClientOwner): { readonly groupId: string; readonly clientId: string };
  createAdmin(owner: ClientOwner, purpose: "connector-adminclient" | "connector-dlq-adminclient"): TopicAdmin;
  /** What librdkafka was built with. */
  features(): readonly string[];
}
