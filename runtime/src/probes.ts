import { type FastifyInstance, fastify } from "fastify";
import type { Metrics } from "./metrics/metrics.ts";

/** Builds the server of `/metrics` and of the kubelet's probes: `/healthz` (the event loop turns), `/readyz` (a member, config caught up). */
export function createProbeServer(options: {
  readonly metrics: Metrics;
  readonly isReady: () => boolean;
}): FastifyInstance {
  const app = fastify({ forceCloseConnections: true });
  app.get("/metrics", async (_request, reply) =>
    reply.header("content-type", options.metrics.contentType).send(await options.metrics.text()),
  );
  app.get("/healthz", async (_request, reply) => reply.send("ok\n"));
  app.get("/readyz", async (_request, reply) =>
    options.isReady() ? reply.send("ok\n") : reply.code(503).send("not a member of the group yet\n"),
  );
  return app;
}
