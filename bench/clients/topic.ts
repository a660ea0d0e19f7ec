import { once } from "node:events";
import kafkajs from "kafkajs";
import { z } from "zod";

/** A record of the connectors' scenarios. */
export const Row = z.object({ id: z.number(), note: z.string() });
export type Row = z.infer<typeof Row>;

const openKafka = (bootstrap: string) =>
  new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });

/** What a programmer's sink does with Kafka: takes JSON records of a topic, at most `size` at a time, and commits behind them. */
export async function readRows(
  { bootstrap, topic, size }: { readonly bootstrap: string; readonly topic: string; readonly size: number },
  write: (rows: readonly Row[]) => Promise<void>,
): Promise<void> {
  const consumer = openKafka(bootstrap).consumer({
    groupId: `client-${topic}-${process.pid}`,
    maxBytesPerPartition: 8 << 20,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      for (let from = 0; from < batch.messages.length; from += size) {
        const messages = batch.messages.slice(from, from + size);
        await write(messages.map(({ value }) => Row.parse(JSON.parse(String(value)))));
      }
    },
  });
}

/** What a programmer's source does: sends values, in order, and waits for Kafka. */
export async function openWriter({
  bootstrap,
  topic,
}: {
  readonly bootstrap: string;
  readonly topic: string;
}): Promise<(values: readonly string[]) => Promise<void>> {
  const producer = openKafka(bootstrap).producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  return async (values) => {
    if (values.length === 0) return;
    await producer.send({ topic, messages: values.map((value) => ({ value })), acks: -1 });
  };
}

/** Whoever started the process looks at the figures and ends it. */
export async function untilStopped(): Promise<never> {
  await once(process, "SIGTERM");
  process.exit(0);
}
