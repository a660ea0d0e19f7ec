import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import kafkajs, { type Admin, type Kafka, type Producer } from "kafkajs";
import { registerCodecs } from "#runtime/kafka/compression.ts";
import { eventually } from "#support/eventually.ts";

/** Topics of a benchmark, looked at from outside. */
export interface Topics {
  create(topic: string, partitions?: number): Promise<void>;
  /** Records in the topic, by its end offsets: exact without compaction; a transaction counts as one more. */
  count(topic: string): Promise<number>;
  /** Reads the first `total` values of a topic with one partition, in order. Throws if they are not there in time, or more than these. */
  read(topic: string, total: number, visit: (value: Buffer | null) => void): Promise<void>;
  /** SHA-256 of the first `total` values of a topic with one partition, each followed by a line end. Throws if they are not there in time. */
  hash(topic: string, total: number): Promise<string>;
  /** Deletes all topics but Kafka's own. */
  deleteAll(): Promise<void>;
  /** For records that the benchmark writes itself. The caller disconnects it. */
  openProducer(): Promise<Producer>;
  close(): Promise<void>;
}

const LEADER_LIMIT_MS = 30_000;
const READ_LIMIT_MS = 120_000;

/** Connects to Kafka. */
export async function openTopics(bootstrap: string): Promise<Topics> {
  registerCodecs();
  const kafka: Kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });
  const admin: Admin = kafka.admin();
  await admin.connect();
  // The broker answers the creation before all of its threads know the topic.
  const offsetsOf = (topic: string) =>
    eventually(`${topic} has a leader`, () => admin.fetchTopicOffsets(topic), LEADER_LIMIT_MS);
  async function read(topic: string, total: number, visit: (value: Buffer | null) => void): Promise<void> {
    const consumer = kafka.consumer({ groupId: `bench-${topic}`, maxBytesPerPartition: 8 << 20 });
    await consumer.connect();
    try {
      await consumer.subscribe({ topic, fromBeginning: true });
      const done = Promise.withResolvers<void>();
      consumer.on(consumer.events.CRASH, ({ payload: { error, restart } }) => {
        if (!restart) done.reject(error);
      });
      let seen = 0;
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          for (const { value } of batch.messages.slice(0, Math.max(0, total - seen))) visit(value);
          seen += batch.messages.length;
          if (seen >= total) done.resolve();
        },
      });
      const timer = new AbortController();
      const late = sleep(READ_LIMIT_MS, "late" as const, { signal: timer.signal }).catch(() => "done" as const);
      const finished = done.promise.then(() => "done" as const);
      const end = await Promise.race([finished, late]).finally(() => timer.abort());
      if (end === "late" || seen !== total) throw new Error(`${topic} has ${seen} records instead of ${total}`);
    } finally {
      await consumer.disconnect();
    }
  }
  return {
    async create(topic, partitions = 1) {
      await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: false });
      await offsetsOf(topic);
    },
    async count(topic) {
      const offsets = await offsetsOf(topic);
      return offsets.reduce((sum, { high }) => sum + Number(high), 0);
    },
    read,
    async hash(topic, total) {
      const hash = createHash("sha256");
      await read(topic, total, (value) => hash.update(value ?? "").update("\n"));
      return hash.digest("hex");
    },
    async deleteAll() {
      const topics = (await admin.listTopics()).filter((topic) => !topic.startsWith("__"));
      if (topics.length > 0) await admin.deleteTopics({ topics });
    },
    async openProducer() {
      const producer = kafka.producer();
      await producer.connect();
      return producer;
    },
    close: () => admin.disconnect(),
  };
}
