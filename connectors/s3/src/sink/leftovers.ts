import { type Logger, RetriableError, type SinkRecord, type TopicPartition } from "@headrace/sdk";
import type { ObjectStore } from "../store/object-store.ts";
import { belongsTo, type NameSettings, topicPrefix } from "./object-name.ts";

/**
 * Drops the multipart uploads that a task which was killed has left: their parts cost money, and nobody sees them. With some servers a part that
 * was still on its way brings its upload back: that one goes at the next start.
 */
export interface Leftovers {
  /** These partitions are the task's own now: what there is of them was left by others. */
  expect(partitions: readonly TopicPartition[]): void;
  /** Before the first of these records is taken. Rejects with RetriableError if the server is away; what it refuses is logged. */
  clear(records: readonly SinkRecord[], signal: AbortSignal): Promise<void>;
}

export function createLeftovers(options: {
  readonly store: ObjectStore;
  readonly names: NameSettings;
  readonly log: Logger;
}): Leftovers {
  const { store, names, log } = options;
  let expected: readonly TopicPartition[] = [];
  const same = (a: TopicPartition, b: TopicPartition) => a.topic === b.topic && a.partition === b.partition;

  async function clearTopic(topic: string, partitions: readonly TopicPartition[], signal: AbortSignal): Promise<void> {
    try {
      for (const upload of await store.listUploads(topicPrefix(names, topic), signal)) {
        if (!belongsTo(names, upload.key, partitions)) continue;
        await store.abortUpload(upload, signal);
        log.info({ key: upload.key }, "unfinished upload dropped");
      }
    } catch (error) {
      if (error instanceof RetriableError || signal.aborted) throw error;
      log.warn({ topic, error: String(error) }, "unfinished uploads cannot be looked for");
    }
  }

  return {
    expect(partitions) {
      expected = [...expected.filter((each) => !partitions.some((other) => same(each, other))), ...partitions];
    },
    async clear(records, signal) {
      if (expected.length === 0) return;
      const topics = new Map<string, TopicPartition[]>();
      for (const partition of expected) {
        const record = records.find(({ original }) => same(original, partition));
        if (record !== undefined) topics.set(record.topic, [...(topics.get(record.topic) ?? []), partition]);
      }
      for (const [topic, partitions] of topics) {
        await clearTopic(topic, partitions, signal);
        expected = expected.filter((each) => !partitions.some((other) => same(each, other)));
      }
    },
  };
}
