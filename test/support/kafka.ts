import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import kafkajs from "kafkajs";
import { type KafkaOptions, type LocalKafka, startKafka } from "#dev/kafka.ts";
import { eventually } from "#support/eventually.ts";

/**
 * The Kafka of a test that needs no broker of its own: the one that the test runner started (`HEADRACE_KAFKA_BOOTSTRAP`),
 * otherwise a new one. Use topic and group names of your own. `stop` ends it only if it was started here.
 */
export async function sharedKafka(): Promise<{ readonly bootstrap: string; readonly stop: () => Promise<void> }> {
  const bootstrap = process.env["HEADRACE_KAFKA_BOOTSTRAP"];
  if (bootstrap !== undefined && bootstrap !== "") return { bootstrap, stop: async () => {} };
  const kafka = await ownKafka();
  return { bootstrap: kafka.bootstrap, stop: kafka.stop };
}

/** A broker that the test may stop, kill, pause or configure. Its directory goes away with `stop`. */
export async function ownKafka(options: Omit<KafkaOptions, "dir"> = {}): Promise<LocalKafka> {
  const dir = mkdtempSync(join(tmpdir(), "headrace-kafka-"));
  const kafka = await startKafka({ ...options, dir });
  return withCleanup(kafka);
}

function withCleanup(kafka: LocalKafka): LocalKafka {
  return {
    ...kafka,
    stop: async () => {
      await kafka.stop();
      rmSync(kafka.dir, { recursive: true, force: true });
    },
    restart: async () => withCleanup(await kafka.restart()),
  };
}

/**
 * Creates a topic and resolves when the broker knows who leads its partitions: it answers the request before all of its threads have heard of
 * the topic, and kafkajs's own `waitForLeaders` takes that for an error.
 */
export async function createTopic(
  bootstrap: string,
  topic: string,
  options: { readonly partitions?: number; readonly config?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const configEntries = Object.entries(options.config ?? {}).map(([name, value]) => ({ name, value }));
  const topics = [{ topic, numPartitions: options.partitions ?? 1, configEntries }];
  const admin = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    await admin.createTopics({ topics, waitForLeaders: false });
    await eventually(`${topic} has leaders`, () => admin.fetchTopicOffsets(topic));
  } finally {
    await admin.disconnect();
  }
}

/** A name that no other test uses. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
}
