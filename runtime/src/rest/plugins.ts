import type { FastifyInstance } from "fastify";
import type { RestApi } from "./api.ts";
import { parseMap } from "./body.ts";
import { resource } from "./resource.ts";

/** `/connector-plugins` and below (contract §5.4). */
export function pluginsResource(app: FastifyInstance, api: Pick<RestApi, "plugins" | "openScope">): void {
  const { plugins } = api;

  resource(app, "/connector-plugins", {
    GET: ({ query }) => ({ status: 200, body: plugins.list(connectorsOnly(query.get("connectorsOnly"))) }),
  });

  resource(app, "/headrace/plugins", { GET: () => ({ status: 200, body: plugins.packages() }) });

  resource(app, "/connector-plugins/:plugin/config", {
    GET: async ({ param, query }) => {
      const scope = api.openScope();
      const version = query.get("version");
      return { status: 200, body: await scope.run(async () => plugins.configDef(param("plugin"), version, scope)) };
    },
  });

  resource(app, "/connector-plugins/:plugin/config/validate", {
    PUT: async ({ param, body }) => {
      const scope = api.openScope();
      const infos = await scope.run(async () => plugins.validate(param("plugin"), parseMap(body.json), scope));
      return { status: 200, body: infos };
    },
  });
}

/** As a JAX-RS boolean with default true: anything but "true" is false, nothing is the default. */
function connectorsOnly(given: string | null): boolean {
  return given === null || given === "" || given.toLowerCase() === "true";
}
