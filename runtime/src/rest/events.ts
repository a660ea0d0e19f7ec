import type { ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import type { RestApi } from "./api.ts";
import { createEventClient } from "./event-client.ts";

const PING_MS = 5_000;

/** `GET /headrace/events`: the cluster as server-sent events. */
export function eventsResource(app: FastifyInstance, api: Pick<RestApi, "events">): void {
  const open = new Set<ServerResponse>();

  app.get("/headrace/events", (_request, reply) => {
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    const client = createEventClient(response);
    const unsubscribe = api.events.subscribe(client.send);
    const pings = setInterval(client.ping, PING_MS);
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
