import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Client } from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import { z } from "zod";
import { openWriter, readRows, untilStopped } from "./topic.ts";

/**
 * What a programmer would write instead of a connector, run as a process of its own: `sink` takes JSON records of a topic into the table `rows_in`, one
 * COPY per batch, and commits the offsets behind it; `source` copies the table `rows_out` from its start into a topic. Nothing is known of
 * types, errors or schemas.
 */
const Options = z.object({
  role: z.enum(["sink", "source"]),
  bootstrap: z.string(),
  topic: z.string(),
  url: z.string(),
});
/** The connectors' batches. */
const ROWS = 3_000;

const { role, url, ...kafka } = Options.parse(JSON.parse(process.argv[2] ?? "{}"));
const client = new Client({ connectionString: url });
await client.connect();

async function sink(): Promise<void> {
  await readRows({ ...kafka, size: ROWS }, async (rows) => {
    const lines = rows.map(({ id, note }) => `${id}\t${note.replaceAll("\\", "\\\\")}\n`).join("");
    await pipeline(Readable.from([lines]), client.query(copyFrom("COPY rows_in (id, note) FROM STDIN")));
  });
}

async function source(): Promise<void> {
  const write = await openWriter(kafka);
  let held: string[] = [];
  const copy = client.query(copyTo("COPY (SELECT id, note FROM rows_out ORDER BY id) TO STDOUT"));
  for await (const line of createInterface({ input: copy })) {
    const [id, note = ""] = line.split("\t");
    held.push(JSON.stringify({ id: Number(id), note: note.replaceAll("\\\\", "\\") }));
    if (held.length < ROWS) continue;
    await write(held);
    held = [];
  }
  await write(held);
}

await (role === "sink" ? sink() : source());
await untilStopped();
