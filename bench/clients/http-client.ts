import { z } from "zod";
import { openWriter, readRows, untilStopped } from "./topic.ts";

/**
 * What a programmer would write instead of a connector, run as a process of its own: `sink` posts JSON records of a topic, as many per request as the
 * connector, one request after the other; `source` reads page after page into a topic.
 */
const Options = z.object({
  role: z.enum(["sink", "source"]),
  bootstrap: z.string(),
  topic: z.string(),
  url: z.string(),
  size: z.number(),
});
const Page = z.object({ items: z.array(z.unknown()), next: z.string().optional() });

const { role, url, size, ...kafka } = Options.parse(JSON.parse(process.argv[2] ?? "{}"));

async function sink(): Promise<void> {
  const headers = { "content-type": "application/json" };
  await readRows({ ...kafka, size }, async (rows) => {
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(rows) });
    await response.text();
    if (!response.ok) throw new Error(`POST answered ${response.status}`);
  });
}

async function source(): Promise<void> {
  const write = await openWriter(kafka);
  for (let cursor: string | undefined = "0"; cursor !== undefined; ) {
    const response = await fetch(`${url}?after=${cursor}`);
    const page = Page.parse(await response.json());
    await write(page.items.map((item) => JSON.stringify(item)));
    cursor = page.next;
  }
}

await (role === "sink" ? sink() : source());
await untilStopped();
