import type { Logger } from "@headrace/sdk";
import { createCluster } from "./cluster.ts";
import type { LogRecord } from "./fetch-response.ts";
import { ensureInternalTopic, type InternalTopic } from "./internal-topic.ts";
import { createLeaders } from "./leaders.ts";
import type { KafkaClientSettings } from "./settings.ts";
import { createTopicAdmin } from "./topic-admin.ts";
import { createTopicReader } from "./topic-reader.ts";
import { type BeforeAttempt, createTopicWriter, type NewRecord } from "./topic-writer.ts";

export type { LogRecord } from "./fetch-response.ts";
export type { BeforeAttempt, NewRecord } from "./topic-writer.ts";

/**
 * A compacted topic as an append-and-read log, without a consumer group: every worker reads all of it.
 *
 * Guarantees: records are delivered in order per partition; a record is delivered to its own writer, too, within milliseconds of
 * its acknowledgement; appends are sent in the order of the calls, one request at a time.
 */
export interface TopicLog {
  /** Creates or checks the topic, delivers all that it holds, and goes on reading until `stop`. Call once. */
  start(onRecords: (records: readonly LogRecord[]) => void, signal: AbortSignal): Promise<void>;
  /**
   * Resolves when all records are acknowledged by all in-sync replicas. Passing failures are retried until `signal` aborts;
   * `before` is asked before each attempt and withdraws the records by throwing.
   */
  append(records: readonly NewRecord[], before: BeforeAttempt | null, signal: AbortSignal): Promise<void>;
  /** Resolves when everything was delivered that the topic held at the time of the call. Calls at the same time share one look-up. */
  readToEnd(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

export interface TopicLogOptions {
  readonly settings: KafkaClientSettings;
  readonly topic: InternalTopic;
  /** Leave out what belongs to open or aborted transactions. */
  readonly readCommitted: boolean;
  /**
   * `start` does not wait for the end of transactions that are open: nobody might be there to end them before. For topics of which nothing
   * is used before a `readToEnd`.
   */
  readonly startsStable?: boolean;
  readonly log: Logger;
}

/** Makes a log; nothing is connected before `start`. */
export function createTopicLog(options: TopicLogOptions): TopicLog {
  const { settings, topic: wanted, readCommitted, startsStable = false, log } = options;
  const { topic } = wanted;
  // A long poll holds up what is behind it on its connection, so each log has connections of its own.
  const cluster = createCluster(settings, log);
  const leaders = createLeaders(cluster, topic);
  const writer = createTopicWriter({ cluster, leaders, topic, settings, log });
  let onRecords: (records: readonly LogRecord[]) => void = () => {};
  const reader = createTopicReader({
    cluster,
    leaders,
    topic,
    readCommitted,
    settings,
    log,
    onRecords: (records) => onRecords(records),
  });

  return {
    async start(listener, signal) {
      onRecords = listener;
      const admin = createTopicAdmin(settings, log);
      try {
        await ensureInternalTopic(admin, wanted, log, signal);
      } finally {
        admin.close();
      }
      await reader.start(signal);
      await (startsStable ? reader.readToStable(signal) : reader.readToEnd(signal));
    },
    append: (records, before, signal) => writer.append(records, before, signal),
    readToEnd: (signal) => reader.readToEnd(signal),
    async stop() {
      const stopped = Promise.all([writer.stop(), reader.stop()]);
      cluster.close();
      await stopped;
    },
  };
}
