import type { Server } from "node:http";
import { type FastifyHttpOptions, type FastifyInstance, type FastifyRequest, fastify } from "fastify";
import type { Logger } from "../log.ts";
import { addAccess, type BearerOf } from "./access.ts";
import type { RestApi } from "./api.ts";
import { addBasicAuth, type Credentials } from "./basic-auth.ts";
import { parseBody, UNTYPED } from "./body.ts";
import { connectorStateResource } from "./connector-state.ts";
import { connectorsResource } from "./connectors.ts";
import { type AccessControl, addAccessControl } from "./cors.ts";
import { sendError, statusError } from "./errors.ts";
import { eventsResource } from "./events.ts";
import { headraceResource } from "./headrace.ts";
import { loggersResource } from "./loggers.ts";
import { offsetsResource } from "./offsets.ts";
import { pluginsResource } from "./plugins.ts";
import { addResponseHeaders, type HeaderRule } from "./response-headers.ts";
import { rootResource } from "./root.ts";
import { tasksResource } from "./tasks.ts";

/** Largest request body: configurations of thousands of tasks fit. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
/** Names are up to a Kafka record key long; encoded they grow. */
const MAX_PARAM_LENGTH = 4_096;

/** What does not depend on the state of the cluster. */
const ANSWERED_AT_ONCE = new Set([
  "/",
  "/health",
  "/headrace/self",
  "/headrace/rejoin",
  "/headrace/drain",
  "/headrace/group",
  "/headrace/openapi.json",
]);

/** How the REST API is served; what is not given is off. */
export interface RestOptions extends Pick<FastifyHttpOptions<Server>, "serverFactory"> {
  readonly accessControl?: AccessControl;
  readonly headers?: readonly HeaderRule[];
  /** null or not given: everybody may do everything. */
  readonly credentials?: Credentials | null;
  /** null or not given: nobody is asked for a certificate or a token. */
  readonly bearer?: BearerOf | null;
  /** Whether `/admin` is here as well. */
  readonly admin?: boolean;
  /** Told every path as it is registered. */
  readonly onRoute?: (path: string) => void;
}

/**
 * Builds the REST API. The caller makes it listen and closes it; `serverFactory` puts it behind servers that listen already.
 */
export function createRestServer(api: RestApi, log: Logger, options: RestOptions = {}): FastifyInstance {
  const { accessControl, headers = [], credentials = null, bearer = null, admin = true, onRoute, ...server } = options;
  const app = createApp(log, server);
  if (onRoute !== undefined) app.addHook("onRoute", ({ url }) => onRoute(url));
  // Preflights, which are answered there, have the headers as well.
  addResponseHeaders(app, headers);
  if (accessControl !== undefined) addAccessControl(app, accessControl);
  if (bearer !== null) addAccess(app, bearer, log);
  if (credentials !== null) addBasicAuth(app, credentials);
  // Before the topics were read an answer would be wrong: nothing seems to exist.
  app.addHook("preHandler", async (request) => {
    const path = request.routeOptions.url ?? "";
    if (!ANSWERED_AT_ONCE.has(path) && !path.startsWith("/admin")) await api.started();
  });
  // After the plugins that the above register: their hooks must be there before the routes are.
  app.after(() => {
    rootResource(app, api);
    connectorsResource(app, api);
    connectorStateResource(app, api);
    tasksResource(app, api);
    offsetsResource(app, api);
    pluginsResource(app, api);
    headraceResource(app, api);
    eventsResource(app, api);
    if (admin) loggersResource(app, api, log);
  });
  return app;
}

/** Builds what `admin.listeners` serve: `/admin` alone, without users and extra headers, as in Java. `bearer` asks here as well. */
export function createAdminServer(api: RestApi, log: Logger, bearer: BearerOf | null = null): FastifyInstance {
  const app = createApp(log, {});
  if (bearer !== null) addAccess(app, bearer, log);
  loggersResource(app, api, log);
  return app;
}

function createApp(log: Logger, options: Pick<RestOptions, "serverFactory">): FastifyInstance {
  const app = fastify({
    ...options,
    bodyLimit: MAX_BODY_BYTES,
    forceCloseConnections: true,
    frameworkErrors: (error, _request, reply) => void sendError(reply, error, log),
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreTrailingSlash: true },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, async (_request: unknown, raw: string | Buffer) =>
    parseBody(Buffer.isBuffer(raw) ? raw : Buffer.from(raw)),
  );
  // What says nothing of its media type is taken where no body is looked at.
  app.addContentTypeParser("*", { parseAs: "buffer" }, async (request: FastifyRequest, raw: string | Buffer) => {
    if (request.headers["content-type"] !== undefined) throw statusError(415);
    return { raw: Buffer.isBuffer(raw) ? raw : Buffer.from(raw), json: UNTYPED };
  });
  app.setErrorHandler((error, _request, reply) => sendError(reply, error, log));
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error_code: 404, message: "HTTP 404 Not Found" }));
  return app;
}
