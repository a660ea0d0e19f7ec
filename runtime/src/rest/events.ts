import type { ServerResponse } from "node:http";
import type { StreamEvent } from "@headrace/contract";
import type { FastifyInstance } from "fastify";
import type { RestApi } from "./api.ts";

/** A client that has not taken this much is disconnected; it comes back for a new snapshot. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024;
const PING_MS = 5_000;

/** `GET /headrace/events`: the cluster as server-sent events. */
export function eventsResource(app: FastifyInstance, api: Pick<RestApi, "events">): void {
  const open = new Set<ServerResponse>();

  app.get("/headrace/events", (_request, reply) => {
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const send = (event: StreamEvent) => {
      response.write(`event: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`);
      if (response.writableLength > MAX_BUFFERED_BYTES) response.destroy();
    };
    const unsubscribe = api.events.subscribe(send);
    const pings = setInterval(() => send({ kind: "ping" }), PING_MS);
    open.add(response);
    response.on("close", () => {
      clearInterval(pings);
      unsubscribe();
      open.delete(response);
    });
  });

  app.addHook("preClose", (done) => {
    for (const response of open) response.end();
    done();
  });
}
