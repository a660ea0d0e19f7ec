import { type FastifyInstance, fastify } from "fastify";
import type { Metrics } from "./metrics/metrics.ts";

/** Gives what `/metrics` needs; the process's own metrics, such as its garbage collections, count from the first call. */
export type OpenMetrics = () => Promise<Pick<Metrics, "contentType" | "text">>;

/** Builds the server of `/metrics` and of the kubelet's probes: `/healthz` (the event loop turns), `/readyz` (a member, config caught up). */
export function createProbeServer(options: {
  readonly metrics: OpenMetrics;
  readonly isReady: () => boolean;
}): FastifyInstance {
  const app = fastify({ forceCloseConnections: true });
  app.get("/metrics", async (_request, reply) => {
    const metrics = await options.metrics();
    return reply.header("content-type", metrics.contentType).send(await metrics.text());
  });
  app.get("/healthz", async (_request, reply) => reply.send("ok\n"));
  app.get("/readyz", async (_request, reply) =>
    options.isReady() ? reply.send("ok\n") : reply.code(503).send("not a member of the group yet\n"),
  );
  return app;
}
