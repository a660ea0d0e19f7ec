import { AwsClient } from "aws4fetch";
import { z } from "zod";
import { openWriter, type Row, readRows, untilStopped } from "./topic.ts";

/**
 * What a programmer would write instead of a connector, run as a process of its own: `sink` puts JSON records of a topic into objects of as many lines as
 * the connector's, one after the other; `source` reads the objects of the given keys into a topic.
 */
const Options = z.object({
  role: z.enum(["sink", "source"]),
  bootstrap: z.string(),
  topic: z.string(),
  url: z.string(),
  region: z.string(),
  accessKey: z.string(),
  secretKey: z.string(),
  lines: z.number(),
  keys: z.array(z.string()),
});
/** Records that are produced at a time. */
const ROWS = 3_000;

const { role, url, region, accessKey, secretKey, lines, keys, ...kafka } = Options.parse(
  JSON.parse(process.argv[2] ?? "{}"),
);
const s3 = new AwsClient({ accessKeyId: accessKey, secretAccessKey: secretKey, service: "s3", region });

async function request(key: string, init: RequestInit = {}): Promise<string> {
  const response = await s3.fetch(`${url}/${key}`, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${init.method ?? "GET"} ${key} answered ${response.status}: ${text}`);
  return text;
}

async function sink(): Promise<void> {
  let held: Row[] = [];
  let first = 0;
  await readRows({ ...kafka, size: lines }, async (rows) => {
    held.push(...rows);
    while (held.length >= lines) {
      const body = held
        .slice(0, lines)
        .map((row) => `${JSON.stringify(row)}\n`)
        .join("");
      await request(`client/${String(first).padStart(10, "0")}.json`, { method: "PUT", body });
      held = held.slice(lines);
      first += lines;
    }
  });
}

async function source(): Promise<void> {
  const write = await openWriter(kafka);
  for (const key of keys) {
    const rows = (await request(key)).split("\n").slice(0, -1);
    for (let from = 0; from < rows.length; from += ROWS) {
      const parsed = rows.slice(from, from + ROWS).map((line) => JSON.stringify(JSON.parse(line)));
      await write(parsed);
    }
  }
}

await (role === "sink" ? sink() : source());
await untilStopped();
