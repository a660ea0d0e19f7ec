import { createHash } from "node:crypto";
import type { Logger } from "@headrace/sdk";
import {
  adminConfig,
  connectorAdminConfig,
  dlqProducerConfig,
  type LibrdkafkaConfig,
  sinkClientId,
  sinkConsumerConfig,
  sourceProducerConfig,
  taskTransactionalId,
  transactionalProducerConfig,
} from "../kafka/client-config.ts";
import { createDeferredProducer } from "../kafka/deferred-producer.ts";
import { createGroupOffsets } from "../kafka/group-offsets.ts";
import { openRecordConsumer } from "../kafka/native-consumer.ts";
import { openRecordProducer, openTransactionalProducer } from "../kafka/native-producer.ts";
import { type Batching, createSplittingProducer, SMALL_BATCH_BYTES } from "../kafka/splitting-producer.ts";
import { createTopicAdmin } from "../kafka/topic-admin.ts";
import type { TaskClients } from "./clients.ts";

/** Records of one batch, unless `max.poll.records` says otherwise; Java's 500 would cost more in calls than it saves in memory. */
const MAX_POLL_RECORDS = 4_000;
/** librdkafka's default of `message.max.bytes`. */
const MAX_RECORD_BYTES = 1_000_000;
const MAX_BATCH_BYTES = 8 * 1024 * 1024;
/** librdkafka's levels are syslog's: up to 3 is an error, 4 a warning. */
const ERROR_LEVEL = 3;

/** Bound on how many configurations are remembered as good. */
const MAX_ACCEPTED = 1_000;

/** What the clients of an executor have in common. */
export interface KafkaClientsOptions {
  /** The name of the Connect cluster, which its sinks' members carry. */
  readonly cluster: string;
  readonly features: () => readonly string[];
  readonly log: Logger;
}

/**
 * The clients of real tasks: librdkafka for records, kafkajs for administration. A source's producer is opened by its first record; what
 * librdkafka does not accept of its configuration is told before.
 */
export function createKafkaClients({ cluster, features, log }: KafkaClientsOptions): TaskClients {
  const configure = (made: LibrdkafkaConfig): Readonly<Record<string, string>> => {
    for (const warning of made.warnings) log.warn({ client: made.properties["client.id"], warning }, "client setting");
    return made.config;
  };
  const onLogOf = (made: LibrdkafkaConfig) => (line: { readonly level: number; readonly message: string }) => {
    const fields = { client: made.properties["client.id"], message: line.message };
    if (line.level <= ERROR_LEVEL) log.warn(fields, "kafka client");
    else log.debug(fields, "kafka client");
  };
  const accepted = new Set<string>();
  /** Throws ConnectError `config-invalid`. One client tells for all that differ by their name only. */
  const tryOut = ({ "client.id": _, ...config }: Readonly<Record<string, string>>) => {
    const print = createHash("sha256").update(JSON.stringify(config)).digest("base64");
    if (accepted.has(print)) return;
    const trial = openRecordProducer({ config, reportPositions: false, stopOnFailure: false });
    void trial.close();
    if (accepted.size >= MAX_ACCEPTED) accepted.clear();
    accepted.add(print);
  };
  return {
    features,
    async openSourceProducer(owner, options) {
      const made = sourceProducerConfig(owner);
      const config = configure(made);
      tryOut(config);
      const batches = Math.min(positive(config["batch.size"]) ?? SMALL_BATCH_BYTES, SMALL_BATCH_BYTES);
      const limits: Readonly<Record<Batching, Readonly<Record<string, string>>>> = {
        configured: {},
        small: { "batch.size": String(batches) },
        single: { "batch.num.messages": "1" },
      };
      const maxRecordBytes = positive(config["message.max.bytes"]) ?? MAX_RECORD_BYTES;
      return createDeferredProducer(() =>
        createSplittingProducer({
          ...options,
          maxRecordBytes,
          open: (batching, more) =>
            openRecordProducer({
              config: { ...config, ...limits[batching] },
              oauth: made.oauth,
              ...more,
              onLog: onLogOf(made),
            }),
        }),
      );
    },
    async openTransactionalProducer(owner, options) {
      const made = transactionalProducerConfig(owner);
      const more = { ...options, stopOnFailure: true, onLog: onLogOf(made) };
      return openTransactionalProducer({ config: configure(made), oauth: made.oauth, ...more });
    },
    async openDeadLetterProducer(owner) {
      const made = dlqProducerConfig(owner);
      const options = { reportPositions: false, stopOnFailure: false, onLog: onLogOf(made) };
      return openRecordProducer({ config: configure(made), oauth: made.oauth, ...options });
    },
    async openSinkConsumer(owner, subscription) {
      const made = sinkConsumerConfig(owner, cluster);
      return openRecordConsumer({
        config: configure(made),
        oauth: made.oauth,
        subscription,
        maxRecords: positive(made.properties["max.poll.records"]) ?? MAX_POLL_RECORDS,
        maxBytes: MAX_BATCH_BYTES,
        onLog: onLogOf(made),
      });
    },
    sinkIdentity(owner) {
      const { properties } = sinkConsumerConfig(owner, cluster);
      const own = sinkClientId(owner, cluster);
      return { groupId: properties["group.id"] ?? "", clientId: properties["client.id"] === own ? own : null };
    },
    openSinkGroup(owner) {
      const { settings } = connectorAdminConfig(owner);
      const admin = createTopicAdmin(settings, log);
      const offsets = createGroupOffsets(settings, log);
      return {
        ...offsets,
        groupId: sinkConsumerConfig({ ...owner, task: 0 }, cluster).properties["group.id"] ?? "",
        admin,
        close() {
          offsets.close();
          admin.close();
        },
      };
    },
    async fenceProducers(owner, tasks, signal) {
      const admin = createTopicAdmin(connectorAdminConfig(owner).settings, log);
      try {
        const ids = Array.from({ length: tasks }, (_, task) =>
          taskTransactionalId(owner.worker, owner.connector, task),
        );
        await Promise.all(ids.map((id) => admin.fenceProducer(id, signal)));
      } finally {
        admin.close();
      }
    },
    createAdmin: (owner, purpose) => createTopicAdmin(adminConfig(owner, purpose).settings, log),
  };
}

function positive(text: string | undefined): number | null {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : null;
}
