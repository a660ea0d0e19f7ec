import type { FastifyInstance } from "fastify";
import { ConnectError } from "../errors.ts";
import type { RestApi } from "./api.ts";
import { doOrForward } from "./forward.ts";
import { resource } from "./resource.ts";

/** `/status`, `/pause`, `/resume`, `/stop`, `/restart` and `/topics` of a connector (contract §5.3). */
export function connectorStateResource(app: FastifyInstance, api: RestApi): void {
  const { commands, views } = api;

  resource(app, "/connectors/:connector/status", {
    GET: ({ param }) => {
      const name = param("connector");
      const state = views.state(name);
      if (state === null) throw new ConnectError("not-found", `No status found for connector ${name}`);
      return { status: 200, body: state };
    },
  });

  for (const [verb, state] of [
    ["pause", "PAUSED"],
    ["resume", "STARTED"],
  ] as const) {
    resource(app, `/connectors/:connector/${verb}`, {
      PUT: async ({ param }) => {
        const scope = api.openScope();
        await scope.run(() => commands.setTargetState(param("connector"), state, scope));
        return { status: 202 };
      },
    });
  }

  resource(app, "/connectors/:connector/stop", {
    PUT: (incoming) => {
      const name = incoming.param("connector");
      return doOrForward(api, incoming, {
        here: (scope) => commands.stopConnector(name, scope),
        answer: () => ({ status: 204 }),
        there: { method: "PUT", path: `connectors/${encodeURIComponent(name)}/stop` },
      });
    },
  });

  resource(app, "/connectors/:connector/restart", {
    POST: (incoming) => {
      const name = incoming.param("connector");
      const includeTasks = incoming.query.get("includeTasks")?.toLowerCase() === "true";
      const onlyFailed = incoming.query.get("onlyFailed")?.toLowerCase() === "true";
      const path = `connectors/${encodeURIComponent(name)}/restart`;
      if (!includeTasks && !onlyFailed) {
        return doOrForward(api, incoming, {
          here: (scope) => commands.restart(name, null, scope),
          answer: () => ({ status: 204 }),
          there: { method: "POST", path, repeatOnConflict: true },
        });
      }
      return doOrForward(api, incoming, {
        here: (scope) => commands.restartParts(name, { includeTasks, onlyFailed }, scope),
        answer: (state) => ({ status: 202, body: state }),
        there: { method: "POST", path: `${path}?includeTasks=${includeTasks}&onlyFailed=${onlyFailed}` },
      });
    },
  });

  resource(app, "/connectors/:connector/topics", {
    GET: ({ param }) => {
      if (!api.topicTracking.enabled) throw new ConnectError("forbidden", "Topic tracking is disabled.");
      const name = param("connector");
      return { status: 200, body: { [name]: { topics: views.topics(name) } } };
    },
  });

  resource(app, "/connectors/:connector/topics/reset", {
    PUT: ({ param }) => {
      if (!api.topicTracking.enabled) throw new ConnectError("forbidden", "Topic tracking is disabled.");
      if (!api.topicTracking.resetAllowed) throw new ConnectError("forbidden", "Topic tracking reset is disabled.");
      commands.resetTopics(param("connector"));
      return { status: 202 };
    },
  });
}
