import type { StringMap } from "@headrace/contract";
import type { GroupOffsets } from "../kafka/group-offsets.ts";
import type { RecordConsumer } from "../kafka/record-consumer.ts";
import type { RecordProducer, TransactionalProducer } from "../kafka/record-producer.ts";
import type { TopicAdmin } from "../kafka/topic-admin.ts";

/** Whose client is opened. Both configurations are resolved. */
export interface ClientOwner {
  readonly worker: StringMap;
  readonly connectorConfig: StringMap;
  readonly connector: string;
  readonly task: number;
}

/** A sink connector's consumer group, seen from outside. */
export interface SinkGroup extends GroupOffsets {
  readonly groupId: string;
  readonly admin: TopicAdmin;
}

/** The Kafka clients that tasks use; the implementation stands in `kafka-clients.ts`, tests bring their own. */
export interface TaskClients {
  openSourceProducer(
    owner: ClientOwner,
    options: { readonly reportPositions: boolean; readonly stopOnFailure: boolean },
  ): Promise<RecordProducer>;
  /** With the task's transactional id; every refused record stops it. */
  openTransactionalProducer(
    owner: ClientOwner,
    options: { readonly reportPositions: boolean },
  ): Promise<TransactionalProducer>;
  openDeadLetterProducer(owner: ClientOwner): Promise<RecordProducer>;
  openSinkConsumer(
    owner: ClientOwner,
    subscription: { readonly topics: readonly string[] } | { readonly regex: string },
  ): Promise<RecordConsumer>;
  /** The group of a sink's consumer, and the client id that it shares with nobody; null if the configuration gives it another one. */
  sinkIdentity(owner: ClientOwner): { readonly groupId: string; readonly clientId: string | null };
  createAdmin(owner: ClientOwner, purpose: "connector-adminclient" | "connector-dlq-adminclient"): TopicAdmin;
  /** Fences the producers of a source connector's first so many tasks, with the connector's admin settings. */
  fenceProducers(owner: Omit<ClientOwner, "task">, tasks: number, signal: AbortSignal): Promise<void>;
  /** For the offsets of a sink connector's consumer group, with the connector's admin settings. */
  openSinkGroup(owner: Omit<ClientOwner, "task">): SinkGroup;
  /** What librdkafka was built with. */
  features(): readonly string[];
}
