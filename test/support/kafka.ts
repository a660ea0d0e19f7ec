import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type KafkaOptions, type LocalKafka, startKafka } from "#dev/kafka.ts";

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

/** A name that no other test uses. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
}
