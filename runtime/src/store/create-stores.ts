import type { StringMap, WorkerConfig } from "@headrace/contract";
import type { Logger } from "@headrace/sdk";
import { workerClientConfig } from "../kafka/client-config.ts";
import type { InternalTopic } from "../kafka/internal-topic.ts";
import { createTopicLog, type TopicLog } from "../kafka/topic-log.ts";
import { createConfigStore } from "./config-store.ts";
import { createOffsetStore } from "./offset-store.ts";
import { createStatusStore } from "./status-store.ts";
import type { ConfigStore, OffsetStore, StatusStore } from "./stores.ts";

export interface StoresOptions {
  readonly config: WorkerConfig;
  /** Every key of the worker's configuration, for the clients and the topics' own settings. */
  readonly properties: StringMap;
  /** Asked before each write that only the leader may make; throws if this worker does not lead. */
  readonly confirmLeader?: (signal: AbortSignal) => Promise<void>;
  readonly log: Logger;
}

export interface Stores {
  readonly configs: ConfigStore;
  readonly statuses: StatusStore;
  readonly offsets: OffsetStore;
}

/** Makes the three stores of a distributed worker; nothing is connected before their `start`. */
export function createStores({ config, properties, confirmLeader, log }: StoresOptions): Stores {
  const open = (topic: InternalTopic, client: "configs" | "statuses" | "offsets"): TopicLog => {
    const { settings, warnings } = workerClientConfig(properties, client);
    for (const warning of warnings) log.warn({ client, warning }, "client setting cannot be used");
    const readCommitted = client === "configs" && config["exactly.once.source.support"] === "enabled";
    return createTopicLog({ settings, topic, readCommitted, log });
  };
  return {
    configs: createConfigStore(open(configTopic(config, properties), "configs"), {
      log,
      ...(confirmLeader !== undefined && { confirmLeader }),
    }),
    statuses: createStatusStore(open(statusTopic(config, properties), "statuses"), { log }),
    offsets: createOffsetStore(open(offsetTopic(config, properties), "offsets"), { log }),
  };
}

/** The topic of connector configurations: one partition, always (contract §2.1). */
export function configTopic(config: WorkerConfig, properties: StringMap): InternalTopic {
  return {
    topic: config["config.storage.topic"],
    property: "config.storage.topic",
    purpose: "connector configurations",
    partitions: 1,
    singlePartition: true,
    replicationFactor: config["config.storage.replication.factor"],
    configs: topicSettings(properties, "config.storage."),
  };
}

/** The topic of source offsets (contract §3). */
export function offsetTopic(config: WorkerConfig, properties: StringMap): InternalTopic {
  return {
    topic: config["offset.storage.topic"],
    property: "offset.storage.topic",
    purpose: "source connector offsets",
    partitions: config["offset.storage.partitions"],
    singlePartition: false,
    replicationFactor: config["offset.storage.replication.factor"],
    configs: topicSettings(properties, "offset.storage."),
  };
}

/** The topic of statuses (contract §4). */
export function statusTopic(config: WorkerConfig, properties: StringMap): InternalTopic {
  return {
    topic: config["status.storage.topic"],
    property: "status.storage.topic",
    purpose: "connector and task statuses",
    partitions: config["status.storage.partitions"],
    singlePartition: false,
    replicationFactor: config["status.storage.replication.factor"],
    configs: topicSettings(properties, "status.storage."),
  };
}

/** Not topic settings: what the worker itself reads, and the cleanup policy, which is not for choosing. */
const OWN_KEYS = new Set(["topic", "partitions", "replication.factor", "cleanup.policy", "file.filename"]);

function topicSettings(properties: StringMap, prefix: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([key]) => key.startsWith(prefix) && !OWN_KEYS.has(key.slice(prefix.length)))
      .map(([key, value]) => [key.slice(prefix.length), value]),
  );
}
