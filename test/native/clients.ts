import { Kafka, logLevel } from "kafkajs";
import { openRecordConsumer } from "#runtime/kafka/native-consumer.ts";
import { openRecordProducer } from "#runtime/kafka/native-producer.ts";
import type {
  ConsumerEvent,
  InboundBatch,
  RecordConsumer,
  RecordConsumerOptions,
} from "#runtime/kafka/record-consumer.ts";
import type {
  OutboundRecord,
  RecordProducer,
  RecordProducerOptions,
  SettledBatch,
} from "#runtime/kafka/record-producer.ts";
import { eventually } from "#support/eventually.ts";
import { createTopic as createNamedTopic, uniqueName } from "#support/kafka.ts";

/** Creates a topic with a name of its own and resolves with the name. */
export async function createTopic(
  bootstrap: string,
  options: { readonly partitions?: number; readonly config?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const topic = uniqueName("native");
  await createNamedTopic(bootstrap, topic, options);
  return topic;
}

/** The number of records that a topic has room for by its offsets, over all partitions. */
export async function endOffset(bootstrap: string, topic: string): Promise<number> {
  // A broker that was away has its partitions again a moment after it answers.
  const offsets = await withAdmin(bootstrap, (admin) =>
    eventually(`${topic} has leaders`, () => admin.fetchTopicOffsets(topic)),
  );
  return offsets.reduce((sum, { high }) => sum + Number(high), 0);
}

/** What a group has committed for partition 0, or null. */
export async function committed(bootstrap: string, groupId: string, topic: string): Promise<number | null> {
  const offsets = await withAdmin(bootstrap, (admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
  const offset = Number(offsets[0]?.partitions.find(({ partition }) => partition === 0)?.offset ?? -1);
  return offset < 0 ? null : offset;
}

async function withAdmin<T>(bootstrap: string, work: (admin: ReturnType<Kafka["admin"]>) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

/** A producer as source tasks have it: idempotent, patient. */
export function openProducer(
  bootstrap: string,
  options: Partial<Omit<RecordProducerOptions, "config">> & { readonly config?: Readonly<Record<string, string>> } = {},
): RecordProducer {
  return openRecordProducer({
    reportPositions: false,
    stopOnFailure: false,
    ...options,
    config: {
      "bootstrap.servers": bootstrap,
      "enable.idempotence": "true",
      acks: "all",
      "message.timeout.ms": "0",
      partitioner: "murmur2_random",
      ...options.config,
    },
  });
}

export function openConsumer(
  bootstrap: string,
  topic: string,
  options: Partial<Omit<RecordConsumerOptions, "config">> & { readonly config?: Readonly<Record<string, string>> } = {},
): RecordConsumer {
  return openRecordConsumer({
    subscription: { topics: [topic] },
    maxRecords: 500,
    maxBytes: 1 << 20,
    ...options,
    config: {
      "bootstrap.servers": bootstrap,
      "group.id": uniqueName("native-group"),
      "auto.offset.reset": "earliest",
      "partition.assignment.strategy": "range",
      "heartbeat.interval.ms": "200",
      ...options.config,
    },
  });
}

/** A record with nothing but a value. */
export function record(
  topic: string,
  value: OutboundRecord["value"],
  more: Partial<OutboundRecord> = {},
): OutboundRecord {
  return { topic, partition: null, key: null, value, headers: null, timestamp: null, ...more };
}

/** Waits until `count` batches have settled. */
export async function settledBatches(
  producer: RecordProducer,
  count: number,
  signal: AbortSignal,
): Promise<readonly SettledBatch[]> {
  const batches: SettledBatch[] = [];
  while (batches.length < count) {
    await producer.settled(signal);
    batches.push(...producer.takeSettled());
  }
  return batches;
}

/** The next event of a kind other than idle. */
export async function nextEvent(consumer: RecordConsumer, signal: AbortSignal): Promise<ConsumerEvent> {
  for (;;) {
    const event = await consumer.next(1000, signal);
    if (event.kind !== "idle") return event;
  }
}

/** The next event, which must be of this kind. */
export async function expectEvent<K extends ConsumerEvent["kind"]>(
  consumer: RecordConsumer,
  kind: K,
  signal: AbortSignal,
): Promise<Extract<ConsumerEvent, { kind: K }>> {
  const event = await nextEvent(consumer, signal);
  if (!isKind(event, kind)) throw new Error(`expected ${kind}, got ${event.kind}`);
  return event;
}

function isKind<K extends ConsumerEvent["kind"]>(
  event: ConsumerEvent,
  kind: K,
): event is Extract<ConsumerEvent, { kind: K }> {
  return event.kind === kind;
}

/** A record that was read, copied out of its batch. */
export interface ReadRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly { readonly key: string; readonly value: Buffer | null }[] | null;
}

export function copyRecords(batch: InboundBatch): readonly ReadRecord[] {
  const field = (ranges: Int32Array, index: number) => {
    const start = ranges[2 * index] ?? -1;
    return start === -1 ? null : Buffer.from(batch.data.subarray(start, ranges[2 * index + 1]));
  };
  return Array.from({ length: batch.count }, (_, index) => ({
    partition: batch.partitions[index] ?? -1,
    offset: Number(batch.offsets[index] ?? -1n),
    timestamp: batch.timestamps[index] ?? Number.NaN,
    key: field(batch.keys, index),
    value: field(batch.values, index),
    headers:
      batch.headers(index)?.map(({ key, value }) => ({ key, value: value === null ? null : Buffer.from(value) })) ??
      null,
  }));
}

/** Reads on until there are so many records; takes what partitions come and go. */
export async function readRecords(
  consumer: RecordConsumer,
  count: number,
  signal: AbortSignal,
): Promise<readonly ReadRecord[]> {
  const records: ReadRecord[] = [];
  while (records.length < count) {
    const event = await nextEvent(consumer, signal);
    if (event.kind === "batch") records.push(...copyRecords(event.batch));
    else consumer.acknowledge();
  }
  return records;
}

/** Reads a topic from the beginning until its end of now, by a group of its own. */
export async function readTopic(bootstrap: string, topic: string, signal: AbortSignal): Promise<readonly ReadRecord[]> {
  const end = await endOffset(bootstrap, topic);
  const consumer = openConsumer(bootstrap, topic);
  try {
    return await readRecords(consumer, end, signal);
  } finally {
    await consumer.close(signal);
  }
}

export const textOf = (records: readonly ReadRecord[]) => records.map(({ value }) => value?.toString() ?? null);
