import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { withDeadline } from "../deadline.ts";
import type { ObjectKey } from "../kube/client.ts";
import type { Person } from "../kube/reviews.ts";
import type { ClusterGroup, FoundCluster } from "./clusters.ts";
import { findCluster } from "./clusters.ts";
import type { Doorkeeper } from "./doorkeeper.ts";
import { ApiError, toAnswer } from "./errors.ts";
import { type ForwardDeps, forward, type WorkerBound } from "./forward.ts";
import { type PassedRequest, parseRequest, prefixOf } from "./request.ts";
import { passBody } from "./response-body.ts";
import type { Turnstile } from "./turnstile.ts";

/** What the API tells about itself. */
export interface ApiMetrics {
  /** A request was answered with `status`; null: the caller left before that. */
  answered(method: string, status: number | null): void;
  /** How long the API server took to say who somebody is, or what he may do. */
  reviewed(review: "token" | "access", durationMs: number): void;
}

export interface ApiDeps extends ForwardDeps {
  readonly doorkeeper: Doorkeeper;
  readonly turnstile: Turnstile;
  /** The first group that has a cluster of a name gets its requests; the first of all has the say about names that nobody has. */
  readonly groups: readonly [ClusterGroup, ...ClusterGroup[]];
  readonly log: Logger;
  readonly metrics: ApiMetrics;
  /** Longest pause within an answer, ms; event streams ping every 5 s. */
  readonly silenceMs: number;
  /** An exchange ends after so long: then the caller's rights are looked at anew. */
  readonly exchangeMs: number;
}

/** Answers one request, which ends with `signal`. Never throws. */
export type ApiHandler = (incoming: IncomingMessage, response: ServerResponse, signal: AbortSignal) => Promise<void>;

/** What workers are asked for; changes of offsets and large configurations included. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;
const BEARER = /^bearer +(\S+)$/i;
/** Everything else is between the caller and us, the token first of all, or between us and the worker. */
const PASSED_TO_WORKER = ["accept", "content-type"];
const PASSED_TO_CALLER = ["content-type", "content-length", "retry-after", "cache-control", "allow"];

/** What is known of a request so far, for the log. */
interface Progress {
  person?: Person;
  request?: PassedRequest;
  cluster?: FoundCluster;
}

/**
 * Passes requests on to the workers of a cluster, for those who may. Who somebody is says a TokenReview of his bearer token, what he may do a
 * SubjectAccessReview: `get` of the KafkaConnect to read, `update` to write. Each write is logged with the person's name.
 *
 * Guarantees: what the caller sends is looked at only when it is allowed; his token goes to the API server and nowhere else; a write is sent at
 * most once.
 */
export function createApiHandler(deps: ApiDeps): ApiHandler {
  const { log, metrics } = deps;

  return async (incoming, response, signal) => {
    const { method = "" } = incoming;
    const exchange = new AbortController();
    const ended = AbortSignal.any([signal, exchange.signal]);
    response.once("close", () => exchange.abort());
    const progress: Progress = {};
    try {
      const exchanged = { incoming, response, progress };
      await withDeadline(deps.exchangeMs, (deadline) => answer(deps, exchanged, deadline), ended);
    } catch (error) {
      // Otherwise the exchange was cut: by the operator, by the caller, or since it took too long.
      const isBug = !(error instanceof ApiError || error instanceof DOMException) && !ended.aborted;
      if (isBug) log.error({ err: error, method }, "request failed");
      refuse(response, isBug || error instanceof ApiError ? error : new ApiError("unavailable", CLOSING));
    } finally {
      const status = response.headersSent ? response.statusCode : null;
      metrics.answered(method, status);
      record(progress, { method, status });
    }
  };

  /** Writes, let in or not, stand in the log once it is known who asks. */
  function record({ person, request, cluster }: Progress, outcome: { method: string; status: number | null }): void {
    if (person === undefined || request?.verb !== "update") return;
    const { namespace, name } = request.cluster;
    const [path] = request.path.split("?");
    const group = cluster?.type.group;
    log.info({ user: person.username, namespace, cluster: name, group, path, ...outcome }, "change through the api");
  }
}

const CLOSING = "The operator is stopping, or the exchange took too long; ask again.";

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly response: ServerResponse;
  readonly progress: Progress;
}

async function answer(deps: ApiDeps, { incoming, response, progress }: Exchange, signal: AbortSignal): Promise<void> {
  const { method = "" } = incoming;
  const request = parseRequest(method, incoming.url ?? "");
  const token = BEARER.exec(incoming.headers.authorization?.trim() ?? "")?.[1];
  if (token === undefined)
    throw new ApiError("unauthenticated", "A bearer token of this Kubernetes cluster is needed.");
  const person = await deps.doorkeeper.identify(token);
  Object.assign(progress, { person, request });
  await deps.turnstile.pass(person.username, async () => {
    const cluster = await enter(deps, person, request);
    progress.cluster = cluster;
    const bound = await toWorkerBound(incoming, request);
    const passed = await forward(deps, cluster.workers, bound, signal);
    response.writeHead(passed.response.status, headersFor(passed.response, request.cluster));
    await passBody(passed.response, response, { silenceMs: deps.silenceMs }, signal);
  });
}

/** The cluster, if the person may do this there. Who may not is not told whether there is one. */
async function enter({ groups, doorkeeper }: ApiDeps, person: Person, request: PassedRequest): Promise<FoundCluster> {
  const { cluster: key, verb } = request;
  if (!groups[0].connects.synced()) throw new ApiError("unavailable", "The operator is starting.");
  const cluster = findCluster(groups, key);
  const { type } = cluster ?? groups[0];
  await doorkeeper.admit(person, { verb, type, key });
  if (cluster === undefined) {
    const message = `There is no KafkaConnect ${key.name} in the namespace ${key.namespace}, or it is not this operator's.`;
    throw new ApiError("not-found", message);
  }
  if (cluster.people === "None" || (cluster.people === "ReadOnly" && verb === "update")) {
    throw new ApiError("forbidden", `spec.rest.people of the KafkaConnect is ${cluster.people}.`);
  }
  return cluster;
}

async function toWorkerBound(incoming: IncomingMessage, { path }: PassedRequest): Promise<WorkerBound> {
  const body = await readBody(incoming);
  const headers = PASSED_TO_WORKER.flatMap((name) => {
    const value = incoming.headers[name];
    return typeof value === "string" ? [[name, value]] : [];
  });
  return {
    method: incoming.method ?? "",
    path,
    headers: Object.fromEntries(headers),
    ...(body.length === 0 ? {} : { body }),
  };
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of incoming) {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) throw new ApiError("too-large", `A body may have ${MAX_BODY_BYTES} bytes.`);
      chunks.push(chunk);
    }
  } catch (cause) {
    throw cause instanceof ApiError ? cause : new ApiError("malformed", "The request was cut short.", { cause });
  }
  return Buffer.concat(chunks);
}

/** Locations are the worker's own paths: they get the prefix that the caller used. */
function headersFor({ headers }: Response, cluster: ObjectKey): Record<string, string> {
  const passed = PASSED_TO_CALLER.flatMap((name) => {
    const value = headers.get(name);
    return value === null ? [] : [[name, value]];
  });
  const location = headers.get("location");
  return {
    ...Object.fromEntries(passed),
    ...(location?.startsWith("/") ? { location: prefixOf(cluster) + location } : {}),
    "x-content-type-options": "nosniff",
  };
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.closed) {
    // A caller who is still there has to see that this is not the whole answer.
    response.destroy();
    return;
  }
  const { status, headers, body } = toAnswer(error);
  // What is left of the request's body is not read.
  response.writeHead(status, { ...headers, connection: "close" }).end(body);
}
