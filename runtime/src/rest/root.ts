import type { ServerInfo } from "@headrace/contract";
import type { FastifyInstance } from "fastify";
import type { RestApi } from "./api.ts";
import { resource } from "./resource.ts";

const HEALTH_STATUS = { healthy: 200, starting: 503, unhealthy: 500 } as const;

/** `/` and `/health` (contract §5.2). */
export function rootResource(app: FastifyInstance, api: Pick<RestApi, "server" | "health">): void {
  resource(app, "/", {
    GET: () => {
      const body: ServerInfo = {
        version: api.server.version,
        commit: api.server.commit,
        kafka_cluster_id: api.server.clusterId(),
      };
      return { status: 200, body };
    },
  });
  resource(app, "/health", {
    GET: async () => {
      const health = await api.health();
      return { status: HEALTH_STATUS[health.status], body: health };
    },
  });
}
