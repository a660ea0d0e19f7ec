import type { FastifyInstance } from "fastify";
import { ConnectError } from "../errors.ts";
import type { RestApi } from "./api.ts";
import { parseMap } from "./body.ts";
import { resource } from "./resource.ts";

/** `/connector-plugins` and below (contract §5.4). */
export function pluginsResource(app: FastifyInstance, api: Pick<RestApi, "plugins" | "openScope">): void {
  const { plugins } = api;

  resource(app, "/connector-plugins", {
    GET: ({ query }) => ({ status: 200, body: plugins.list(query.get("connectorsOnly") !== "false") }),
  });

  resource(app, "/connector-plugins/:plugin/config", {
    GET: async ({ param }) => {
      const scope = api.openScope();
      return { status: 200, body: await scope.run(async () => plugins.configDef(param("plugin"), scope)) };
    },
  });

  resource(app, "/connector-plugins/:plugin/config/validate", {
    PUT: async ({ param, body }) => {
      const scope = api.openScope();
      const config = Object.entries(parseMap(body.json)).map(([key, value]) => {
        if (value !== null) return [key, value] as const;
        throw new ConnectError("bad-request", `Null value can not be supplied as the configuration value. (${key})`);
      });
      const infos = await scope.run(async () => plugins.validate(param("plugin"), Object.fromEntries(config), scope));
      return { status: 200, body: infos };
    },
  });
}
