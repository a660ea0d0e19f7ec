import { once } from "node:events";
import kafkajs from "kafkajs";
import { createConnection } from "mysql2";
import { createConnection as createPromised, type ResultSetHeader } from "mysql2/promise";
import { z } from "zod";

/**
 * What a programmer would write instead of a connector, run as a process of its own: `sink` takes JSON records of a topic into the table `rows_in`,
 * one INSERT per batch, and commits the offsets behind it; `source` reads the table `rows_out` from its start into a topic. One record after
 * the other is in order; nothing is known of types, errors or schemas.
 */
const Options = z.object({
  role: z.enum(["sink", "source"]),
  bootstrap: z.string(),
  topic: z.string(),
  port: z.number(),
  database: z.string(),
});
const Record = z.object({ id: z.number(), note: z.string() });
/** As many rows as connectors take at a time by default settings of the scenario. */
const ROWS = 3_000;

const { role, bootstrap, topic, port, database } = Options.parse(JSON.parse(process.argv[2] ?? "{}"));
const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING });
const connection = { host: "127.0.0.1", port, user: "headrace", database };

async function sink(): Promise<void> {
  const client = await createPromised(connection);
  const consumer = kafka.consumer({ groupId: `client-${topic}`, maxBytesPerPartition: 8 << 20 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachBatch: async ({ batch }) => {
      for (let from = 0; from < batch.messages.length; from += ROWS) {
        const rows = batch.messages.slice(from, from + ROWS).map(({ value }) => {
          const { id, note } = Record.parse(JSON.parse(String(value)));
          return [id, note];
        });
        await client.query<ResultSetHeader>("INSERT INTO rows_in (id, note) VALUES ?", [rows]);
      }
    },
  });
}

async function source(): Promise<void> {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const client = createConnection(connection);
  let held: { readonly value: string }[] = [];
  const stream = client.query("SELECT id, note FROM rows_out ORDER BY id").stream({ highWaterMark: ROWS });
  for await (const row of stream) {
    held.push({ value: JSON.stringify(row) });
    if (held.length < ROWS) continue;
    await producer.send({ topic, messages: held, acks: -1 });
    held = [];
  }
  if (held.length > 0) await producer.send({ topic, messages: held, acks: -1 });
}

await (role === "sink" ? sink() : source());
// Whoever started it looks at the figures and ends it.
await once(process, "SIGTERM");
process.exit(0);
