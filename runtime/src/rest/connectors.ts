import type { ConnectorInfo, ExpandedConnectors, TargetState } from "@headrace/contract";
import type { FastifyInstance } from "fastify";
import { ConnectError } from "../errors.ts";
import type { RestApi } from "./api.ts";
import { parseConfig, parseMap, parseObject, parseText } from "./body.ts";
import { doOrForward } from "./forward.ts";
import { type Answer, resource } from "./resource.ts";

/** `/connectors`, `/connectors/{c}` and its `/config` (contract §5.3). */
export function connectorsResource(app: FastifyInstance, api: RestApi): void {
  const { commands, views } = api;

  const requireInfo = (name: string): ConnectorInfo => {
    const info = views.info(name);
    if (info === null) throw new ConnectError("not-found", `Connector ${name} not found`);
    return info;
  };

  resource(app, "/connectors", {
    GET: ({ query }) => {
      const expand = new Set(query.getAll("expand"));
      if (expand.size === 0) return { status: 200, body: views.names() };
      return { status: 200, body: expanded(api, expand) };
    },
    POST: (incoming) => {
      const body = parseObject(incoming.body.json, ["name", "config", "initial_state"]);
      const name = parseText("name", body["name"])?.trim() ?? "";
      const config = parseConfig(body["config"], name);
      const initialState = toTargetState(body["initial_state"]);
      return doOrForward(api, incoming, {
        here: (scope) => commands.createConnector({ name, config, initialState }, scope),
        answer: (info) => created(info),
        there: { method: "POST", path: "connectors", body: { ...body, name, config } },
      });
    },
  });

  resource(app, "/connectors/:connector", {
    GET: ({ param }) => ({ status: 200, body: requireInfo(param("connector")) }),
    DELETE: (incoming) => {
      const name = incoming.param("connector");
      return doOrForward(api, incoming, {
        here: (scope) => commands.deleteConnector(name, scope),
        answer: () => ({ status: 204 }),
        there: { method: "DELETE", path: `connectors/${encodeURIComponent(name)}` },
      });
    },
  });

  resource(app, "/connectors/:connector/config", {
    GET: ({ param }) => ({ status: 200, body: requireInfo(param("connector")).config }),
    PUT: (incoming) => {
      const name = incoming.param("connector");
      const config = parseConfig(incoming.body.json, name);
      return doOrForward(api, incoming, {
        here: (scope) => commands.putConfig(name, config, scope),
        answer: (result) => (result.created ? created(result.info) : { status: 200, body: result.info }),
        there: { method: "PUT", path: `connectors/${encodeURIComponent(name)}/config`, body: config },
      });
    },
    PATCH: (incoming) => {
      const name = incoming.param("connector");
      const patch = parseMap(incoming.body.json);
      return doOrForward(api, incoming, {
        here: (scope) => commands.patchConfig(name, patch, scope),
        answer: (info) => ({ status: 200, body: info }),
        there: { method: "PATCH", path: `connectors/${encodeURIComponent(name)}/config`, body: patch },
      });
    },
  });
}

function created(info: ConnectorInfo): Answer {
  return { status: 201, body: info, location: `/connectors/${encodeURIComponent(info.name)}` };
}

const INITIAL_STATES: Readonly<Record<string, TargetState>> = {
  RUNNING: "STARTED",
  PAUSED: "PAUSED",
  STOPPED: "STOPPED",
};

function toTargetState(given: unknown): TargetState | null {
  if (given === undefined || given === null) return null;
  const state = typeof given === "string" ? INITIAL_STATES[given.toUpperCase()] : undefined;
  if (state === undefined) {
    // Java reads it into an enum, and what does not fit its types is a 500 (contract §5.0).
    throw new ConnectError("internal", `Invalid initial_state '${given}': must be RUNNING, PAUSED or STOPPED`);
  }
  return state;
}

function expanded(api: Pick<RestApi, "views">, expand: ReadonlySet<string>): ExpandedConnectors {
  const entries = api.views.names().flatMap((name) => {
    const status = expand.has("status") ? api.views.state(name) : undefined;
    const info = expand.has("info") ? api.views.info(name) : undefined;
    // It vanished, or has no status yet: skipped, as Java does.
    if (status === null || info === null) return [];
    return [[name, { ...(status === undefined ? {} : { status }), ...(info === undefined ? {} : { info }) }] as const];
  });
  return Object.fromEntries(entries);
}
