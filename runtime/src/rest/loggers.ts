import type { FastifyInstance } from "fastify";
import { ConnectError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type LoggerLevel, parseLevel } from "../loggers.ts";
import type { RestApi } from "./api.ts";
import { parseMap } from "./body.ts";
import { resource } from "./resource.ts";

/** `/admin/loggers` (contract §5.2, KIP-495, KIP-976). */
export function loggersResource(
  app: FastifyInstance,
  api: Pick<RestApi, "loggers" | "commands" | "openScope">,
  log: Logger,
): void {
  const { loggers, commands } = api;

  resource(app, "/admin/loggers", {
    GET: () => {
      const all = [...loggers.all()].map(([name, level]) => [name, toBody(level)] as const);
      return { status: 200, body: Object.fromEntries(all) };
    },
  });

  resource(app, "/admin/loggers/:logger", {
    GET: ({ param }) => {
      const level = loggers.get(param("logger"));
      if (level === null) throw new ConnectError("not-found", `Logger ${param("logger")} not found.`);
      return { status: 200, body: toBody(level) };
    },
    PUT: async ({ param, query, body }) => {
      const name = param("logger");
      const level = requireLevel(parseMap(body.json)["level"]);
      const wanted = query.get("scope") ?? "worker";
      if (wanted.toLowerCase() === "cluster") {
        const scope = api.openScope();
        await scope.run(() => commands.setLoggerLevel(name, level, scope));
        return { status: 204 };
      }
      if (wanted.toLowerCase() !== "worker") {
        log.warn({ scope: wanted }, "unknown scope of a log level, taken for worker");
      }
      return { status: 200, body: loggers.set(name, level) };
    },
  });
}

function toBody({ level, lastModifiedMs }: LoggerLevel): { level: string; last_modified: number | null } {
  return { level, last_modified: lastModifiedMs };
}

function requireLevel(given: string | null | undefined): string {
  if (given === undefined || given === null) {
    throw new ConnectError("bad-request", "Desired 'level' parameter was not specified in request.");
  }
  if (given === "") throw new ConnectError("internal", "Illegal null or empty Level name.");
  const level = parseLevel(given);
  if (level === null) throw new ConnectError("not-found", `invalid log level '${given}'.`);
  return level;
}
