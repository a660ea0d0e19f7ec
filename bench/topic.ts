import { createHash } from "node:crypto";
import kafkajs, { type Admin, type Kafka } from "kafkajs";

/** Topics of a benchmark, looked at from outside. */
export interface Topics {
  create(topic: string, partitions?: number): Promise<void>;
  /** Records in the topic, by its end offsets: exact without transactions and compaction. */
  count(topic: string): Promise<number>;
  /** SHA-256 of the values of a topic with one partition, each followed by a line end. */
  hash(topic: string): Promise<string>;
  close(): Promise<void>;
}

/** Connects to Kafka. */
export async function openTopics(bootstrap: string): Promise<Topics> {
  const kafka: Kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });
  const admin: Admin = kafka.admin();
  await admin.connect();
  const count = async (topic: string) => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return offsets.reduce((sum, { high }) => sum + Number(high), 0);
  };
  return {
    async create(topic, partitions = 1) {
      await admin.createTopics({ topics: [{ topic, numPartitions: partitions }], waitForLeaders: true });
    },
    count,
    async hash(topic) {
      const total = await count(topic);
      const hash = createHash("sha256");
      const consumer = kafka.consumer({ groupId: `bench-${topic}`, maxBytesPerPartition: 8 << 20 });
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      const done = Promise.withResolvers<void>();
      let read = 0;
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          for (const { value } of batch.messages) hash.update(value ?? "").update("\n");
          read += batch.messages.length;
          if (read >= total) done.resolve();
        },
      });
      await done.promise;
      await consumer.disconnect();
      return hash.digest("hex");
    },
    close: () => admin.disconnect(),
  };
}
