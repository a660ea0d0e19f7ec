import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { freePorts } from "#dev/process.ts";
import { besideClient, idOf, NOTE } from "./connector.ts";

/** Records of a request, or of a page. */
const SIZE = 500;
const Bodies = z.array(z.unknown());

/** A server in this process, so that its work is not counted: it keeps the ids that are posted, and gives pages of `total` records. */
async function serve(total: number) {
  let ids: number[] = [];
  const server = createServer((request, response) => {
    const respond = async () => {
      if (request.method === "POST") {
        ids.push(...Bodies.parse(JSON.parse(await text(request))).map(idOf));
        return response.writeHead(204).end();
      }
      const first = Number(new URL(request.url ?? "", "http://localhost").searchParams.get("after"));
      const length = Math.max(0, Math.min(SIZE, total - first));
      const items = Array.from({ length }, (_, index) => ({ id: first + index, note: NOTE }));
      const next = first + length < total ? { next: String(first + length) } : {};
      response.writeHead(200, { "content-type": "application/json" });
      return response.end(JSON.stringify({ items, ...next }));
    };
    respond().catch((error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))));
  });
  const [port = 0] = await freePorts(1);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
    url: `http://127.0.0.1:${port}`,
    ids: () => ids,
    forget() {
      ids = [];
    },
  };
}

/** A topic to an HTTP server, 500 records per request; or pages of 500 records into a topic. Beside fetch, one after the other. */
export const http = (role: "sink" | "source", count: number) =>
  besideClient({
    name: `http-${role}`,
    package: "http",
    role,
    count,
    async start(bench, total) {
      const server = await serve(total);
      bench.defer(server.stop);
      return async (topic) => {
        server.forget();
        const sink = {
          connector: {
            "connector.class": "http-sink",
            "http.url": server.url,
            "batch.max.size": String(SIZE),
          },
          progress: () => server.ids().length,
          ids: server.ids,
        };
        const source = {
          connector: {
            "connector.class": "http-source",
            "http.url": `${server.url}/?after=\${cursor}`,
            topic,
            pagination: "cursor",
            "http.response.records.path": "items",
            "http.cursor.path": "next",
            "http.cursor.initial": "0",
            "poll.interval.ms": "1000",
          },
        };
        return {
          ...(role === "sink" ? sink : source),
          client: { script: "http-client.ts", options: { url: `${server.url}/`, size: SIZE } },
          close() {},
        };
      };
    },
  });
