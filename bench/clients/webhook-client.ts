import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { openWriter, Row, untilStopped } from "./topic.ts";

/**
 * What a programmer would write instead of the webhook source, run as a process of its own: a server that sends the record of each request to
 * Kafka and answers when Kafka has it. Nothing is known of signatures, limits and back-pressure.
 */
const Options = z.object({ bootstrap: z.string(), topic: z.string(), port: z.number() });

const { port, ...kafka } = Options.parse(JSON.parse(process.argv[2] ?? "{}"));
const write = await openWriter(kafka);
const server = createServer((request, response) => {
  const respond = async () => {
    await write([JSON.stringify(Row.parse(JSON.parse(await text(request))))]);
    response.writeHead(200).end();
  };
  respond().catch((error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))));
});
server.listen(port, "127.0.0.1");
await untilStopped();
