import { openApiDocument } from "@headrace/contract";
import type { FastifyInstance } from "fastify";
import type { RestApi } from "./api.ts";
import { resource } from "./resource.ts";

/** Headrace's additions for peers and the operator (DESIGN: group, failover, rebalancing). */
export function headraceResource(app: FastifyInstance, api: Pick<RestApi, "self" | "group" | "server">): void {
  const description = openApiDocument(api.server.version);
  resource(app, "/headrace/openapi.json", { GET: () => ({ status: 200, body: description }) });

  resource(app, "/headrace/self", { GET: () => ({ status: 200, body: api.self() }) });

  resource(app, "/headrace/group", {
    GET: async ({ query }) => ({ status: 200, body: await api.group.group(query.get("forward") === "false") }),
  });

  resource(app, "/headrace/drain", {
    POST: () => {
      api.group.drainSoon();
      return { status: 202 };
    },
  });

  resource(app, "/headrace/rejoin", {
    POST: () => {
      api.group.poke();
      return { status: 202 };
    },
  });

  resource(app, "/headrace/workers/:member/gone", {
    POST: async ({ param }) => {
      await api.group.gone(param("member"));
      return { status: 204 };
    },
  });
}
