import { toKafkaJs } from "#runtime/kafka/client-config.ts";
import type { InternalTopic } from "#runtime/kafka/internal-topic.ts";
import { createTopicLog, type LogRecord, type TopicLog } from "#runtime/kafka/topic-log.ts";
import { createSilentLog } from "./silent-log.ts";

/** A topic log of a test, with all that it has delivered. */
export interface TestLog extends TopicLog {
  readonly records: readonly LogRecord[];
  /** `key=value` of all records, in order of delivery; a tombstone ends with `=`. */
  texts(): readonly string[];
  readonly warnings: () => readonly string[];
}

export interface TestLogOptions {
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly configs?: Readonly<Record<string, string>>;
  readonly singlePartition?: boolean;
  readonly readCommitted?: boolean;
}

/** Settings that notice a broker that is away within a second or so. */
export function kafkaSettings(bootstrap: string, clientId = "test") {
  return toKafkaJs({ "bootstrap.servers": bootstrap, "client.id": clientId, "retry.backoff.max.ms": "200" }).settings;
}

/** The topic that a test's log stands for. */
export function internalTopic(options: Omit<TestLogOptions, "bootstrap">): InternalTopic {
  return {
    topic: options.topic,
    property: "offset.storage.topic",
    purpose: "source connector offsets",
    partitions: options.partitions ?? 1,
    singlePartition: options.singlePartition ?? false,
    replicationFactor: options.replicationFactor ?? 1,
    configs: options.configs ?? {},
  };
}

/** Opens a log and reads it to its end. */
export async function openLog(options: TestLogOptions, signal = AbortSignal.timeout(60_000)): Promise<TestLog> {
  const records: LogRecord[] = [];
  const sink = createSilentLog();
  const log = createTopicLog({
    settings: kafkaSettings(options.bootstrap),
    topic: internalTopic(options),
    readCommitted: options.readCommitted ?? false,
    log: sink,
  });
  try {
    await log.start((batch) => records.push(...batch), signal);
  } catch (error) {
    await log.stop();
    throw error;
  }
  return {
    ...log,
    records,
    texts: () => records.map(({ key, value }) => `${key}=${value ?? ""}`),
    warnings: () => sink.entries.filter(({ level }) => level === "warn").map(({ message }) => message),
  };
}

/** A record of text; without a value it is a tombstone. */
export function record(key: string, value: string | null = null) {
  return { key: Buffer.from(key), value: value === null ? null : Buffer.from(value) };
}
