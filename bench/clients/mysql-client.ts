import { createConnection } from "mysql2";
import { createConnection as createPromised, type ResultSetHeader } from "mysql2/promise";
import { z } from "zod";
import { openWriter, readRows, untilStopped } from "./topic.ts";

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
/** As many rows as connectors take at a time by default settings of the scenario. */
const ROWS = 3_000;

const { role, port, database, ...kafka } = Options.parse(JSON.parse(process.argv[2] ?? "{}"));
const connection = { host: "127.0.0.1", port, user: "headrace", database };

async function sink(): Promise<void> {
  const client = await createPromised(connection);
  await readRows({ ...kafka, size: ROWS }, async (rows) => {
    const values = rows.map(({ id, note }) => [id, note]);
    await client.query<ResultSetHeader>("INSERT INTO rows_in (id, note) VALUES ?", [values]);
  });
}

async function source(): Promise<void> {
  const write = await openWriter(kafka);
  const client = createConnection(connection);
  let held: string[] = [];
  const stream = client.query("SELECT id, note FROM rows_out ORDER BY id").stream({ highWaterMark: ROWS });
  for await (const row of stream) {
    held.push(JSON.stringify(row));
    if (held.length < ROWS) continue;
    await write(held);
    held = [];
  }
  await write(held);
}

await (role === "sink" ? sink() : source());
await untilStopped();
