import type { FastifyInstance } from "fastify";
import { ConnectError } from "../errors.ts";
import { ALGORITHM_HEADER, SIGNATURE_HEADER } from "../herder/request-signature.ts";
import type { RestApi } from "./api.ts";
import { parseMaps } from "./body.ts";
import { doOrForward } from "./forward.ts";
import { resource, taskNumber } from "./resource.ts";

/**
 * `/connectors/{c}/tasks` and below (contract §5.3), with the signed requests by which workers commit task sets and have
 * former tasks fenced (§5.8).
 */
export function tasksResource(app: FastifyInstance, api: RestApi): void {
  const { commands, views } = api;

  resource(app, "/connectors/:connector/tasks", {
    GET: ({ param }) => {
      const tasks = views.tasks(param("connector"));
      if (tasks === null) throw new ConnectError("not-found", `Connector ${param("connector")} not found`);
      return { status: 200, body: tasks };
    },
    POST: (incoming) => {
      api.verify({
        signature: incoming.header(SIGNATURE_HEADER),
        algorithm: incoming.header(ALGORITHM_HEADER),
        body: incoming.body.raw,
      });
      const name = incoming.param("connector");
      const tasks = parseMaps(incoming.body.json);
      return doOrForward(api, incoming, {
        here: (scope) => commands.commitTasks(name, tasks, scope),
        answer: () => ({ status: 204 }),
        there: { method: "POST", path: `connectors/${encodeURIComponent(name)}/tasks`, body: tasks },
      });
    },
  });

  resource(app, "/connectors/:connector/fence", {
    PUT: (incoming) => {
      api.verify({
        signature: incoming.header(SIGNATURE_HEADER),
        algorithm: incoming.header(ALGORITHM_HEADER),
        body: incoming.body.raw,
      });
      const name = incoming.param("connector");
      return doOrForward(api, incoming, {
        here: (scope) => api.fencing.fence(name, scope),
        answer: () => ({ status: 204 }),
        there: { method: "PUT", path: `connectors/${encodeURIComponent(name)}/fence` },
      });
    },
  });

  resource(app, "/connectors/:connector/tasks/:task/status", {
    GET: ({ param }) => {
      const name = param("connector");
      const task = taskNumber(param("task"));
      const state = views.taskState(name, task);
      if (state === null) throw new ConnectError("not-found", `No status found for task ${name}-${task}`);
      return { status: 200, body: state };
    },
  });

  resource(app, "/connectors/:connector/tasks/:task/restart", {
    POST: (incoming) => {
      const name = incoming.param("connector");
      const task = taskNumber(incoming.param("task"));
      return doOrForward(api, incoming, {
        here: (scope) => commands.restart(name, task, scope),
        answer: () => ({ status: 204 }),
        there: {
          method: "POST",
          path: `connectors/${encodeURIComponent(name)}/tasks/${task}/restart`,
          repeatOnConflict: true,
        },
      });
    },
  });
}
