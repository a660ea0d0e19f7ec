import type { StringMap, WorkerConfig } from "@headrace/contract";
import type { InternalTopic } from "./kafka/internal-topic.ts";

/** The three topics of a worker group as its configuration wants them (contract §2.1). */
export interface InternalTopics {
  readonly config: InternalTopic;
  readonly offset: InternalTopic;
  readonly status: InternalTopic;
}

/** Reads them from the configuration; `properties` also gives settings for their creation. */
export function internalTopics(config: WorkerConfig, properties: StringMap): InternalTopics {
  return {
    config: {
      topic: config["config.storage.topic"],
      property: "config.storage.topic",
      purpose: "connector configurations",
      partitions: 1,
      singlePartition: true,
      replicationFactor: config["config.storage.replication.factor"],
      configs: extraSettings("config.storage.", properties),
    },
    offset: {
      topic: config["offset.storage.topic"],
      property: "offset.storage.topic",
      purpose: "source connector offsets",
      partitions: config["offset.storage.partitions"],
      singlePartition: false,
      replicationFactor: config["offset.storage.replication.factor"],
      configs: extraSettings("offset.storage.", properties),
    },
    status: {
      topic: config["status.storage.topic"],
      property: "status.storage.topic",
      purpose: "connector and task statuses",
      partitions: config["status.storage.partitions"],
      singlePartition: false,
      replicationFactor: config["status.storage.replication.factor"],
      configs: extraSettings("status.storage.", properties),
    },
  };
}

/** The worker's wishes for its offsets topic, which offsets topics of connectors are created with as well; from raw properties. */
export function offsetTopicSettings(properties: StringMap): InternalTopic {
  const count = (key: string, fallback: number) => Number(properties[key]?.trim() || fallback);
  return {
    topic: properties["offset.storage.topic"] ?? "",
    property: "offset.storage.topic",
    purpose: "source connector offsets",
    partitions: count("offset.storage.partitions", OFFSET_PARTITIONS),
    singlePartition: false,
    replicationFactor: count("offset.storage.replication.factor", REPLICATION_FACTOR),
    configs: extraSettings("offset.storage.", properties),
  };
}

/** Kafka Connect's defaults (contract §6.2). */
const OFFSET_PARTITIONS = 25;
const REPLICATION_FACTOR = 3;

const OWN = new Set(["topic", "partitions", "replication.factor", "cleanup.policy", "file.filename"]);

function extraSettings(prefix: string, properties: StringMap): StringMap {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([key, value]) => {
      const setting = key.startsWith(prefix) ? key.slice(prefix.length) : "";
      return setting === "" || OWN.has(setting) ? [] : [[setting, value]];
    }),
  );
}
