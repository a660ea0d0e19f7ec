import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Client } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import { z } from "zod";
import { readRows, untilStopped } from "./topic.ts";

/**
 * What a programmer would write instead of a sink, run as a process of its own: JSON records of a topic go into the table `rows_in`, one COPY per
 * batch, and the offsets are committed behind it. Nothing is known of types, errors or schemas.
 */
const Options = z.object({ bootstrap: z.string(), topic: z.string(), url: z.string() });
/** The connector's `batch.size`. */
const ROWS = 3_000;

const { url, ...kafka } = Options.parse(JSON.parse(process.argv[2] ?? "{}"));
const client = new Client({ connectionString: url });
await client.connect();
await readRows({ ...kafka, size: ROWS }, async (rows) => {
  const lines = rows.map(({ id, note }) => `${id}\t${note.replaceAll("\\", "\\\\")}\n`).join("");
  await pipeline(Readable.from([lines]), client.query(copyFrom("COPY rows_in (id, note) FROM STDIN")));
});
await untilStopped();
