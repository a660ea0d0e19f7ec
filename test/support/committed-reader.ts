import { openRecordConsumer } from "#runtime/kafka/native-consumer.ts";
import { uniqueName } from "./kafka.ts";

/** A record as committed reads see it. */
export interface CommittedRead {
  readonly partition: number;
  readonly key: string | null;
  readonly value: string | null;
}

/** Reads a topic from its beginning, leaving out what belongs to open and aborted transactions. */
export interface CommittedReader {
  /** In order per partition; grows. */
  readonly records: readonly CommittedRead[];
  values(): readonly (string | null)[];
  close(): Promise<void>;
}

/** Opens a reader of one topic, which must be there. */
export function openCommittedReader(bootstrap: string, topic: string): CommittedReader {
  const consumer = openRecordConsumer({
    config: {
      "bootstrap.servers": bootstrap,
      "group.id": uniqueName("committed-reader"),
      "auto.offset.reset": "earliest",
      "isolation.level": "read_committed",
      "partition.assignment.strategy": "range",
    },
    subscription: { topics: [topic] },
    maxRecords: 2_000,
    maxBytes: 1 << 20,
  });
  const records: CommittedRead[] = [];
  const closing = new AbortController();
  const text = (data: Buffer, ranges: Int32Array, index: number) => {
    const start = ranges[2 * index] ?? -1;
    return start < 0 ? null : data.toString("utf8", start, ranges[2 * index + 1]);
  };

  const reading = (async () => {
    while (!closing.signal.aborted) {
      const event = await consumer.next(500, closing.signal);
      if (event.kind === "idle") continue;
      if (event.kind !== "batch") {
        consumer.acknowledge();
        continue;
      }
      const { batch } = event;
      for (let index = 0; index < batch.count; index++) {
        records.push({
          partition: batch.partitions[index] ?? -1,
          key: text(batch.data, batch.keys, index),
          value: text(batch.data, batch.values, index),
        });
      }
    }
  })().catch((error: unknown) => {
    if (!closing.signal.aborted) throw error;
  });

  return {
    records,
    values: () => records.map(({ value }) => value),
    async close() {
      closing.abort();
      await reading;
      await consumer.close(AbortSignal.timeout(10_000));
    },
  };
}
