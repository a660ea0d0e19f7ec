import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import type { WorkerTls } from "./trust.ts";

/** A request to a worker. */
export interface WorkerRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** For https. */
  readonly tls?: WorkerTls;
}

/** Sends a request and resolves with the answer once its headers are in. Aborting `signal` also breaks off the body. */
export type WorkerFetch = (url: string, request: WorkerRequest, signal: AbortSignal) => Promise<Response>;

const KEPT = { keepAlive: true, keepAliveMsecs: 10_000, maxFreeSockets: 4, timeout: 60_000 };
/** Statuses whose answers have no body. */
const EMPTY: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * Creates it. Connections are kept, for each set of TLS material its own; those of a former set are closed by the workers when they
 * idle. The path is sent as it stands: the platform's `fetch` would take a connector named `..` for a step upwards.
 */
export function createWorkerFetch(): WorkerFetch {
  const http = new HttpAgent(KEPT);
  const https = new WeakMap<WorkerTls, HttpsAgent>();

  function agentOf(tls: WorkerTls): HttpsAgent {
    const agent = https.get(tls) ?? new HttpsAgent({ ...KEPT, ...tls, ca: [...tls.ca] });
    https.set(tls, agent);
    return agent;
  }

  return (url, { method, headers, body, tls }, signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const { origin, path } = split(url);
    const options = {
      method,
      path,
      headers: {
        // Apache's REST server wants the name that its certificate has.
        ...(tls === undefined ? {} : { host: tls.servername }),
        ...headers,
        ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
      },
    };
    const outgoing =
      tls === undefined
        ? httpRequest(origin, { ...options, agent: http })
        : httpsRequest(origin, { ...options, agent: agentOf(tls) });
    const abort = () => outgoing.destroy(new Error("aborted"));
    signal.addEventListener("abort", abort, { once: true });
    outgoing.once("close", () => signal.removeEventListener("abort", abort));
    if (signal.aborted) abort();
    outgoing.on("error", (error) => reject(signal.aborted ? signal.reason : error));
    outgoing.once("response", (incoming) => resolve(toResponse(incoming)));
    outgoing.end(body);
    return promise;
  };
}

function split(url: string): { readonly origin: string; readonly path: string } {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  return start === -1 ? { origin: url, path: "/" } : { origin: url.slice(0, start), path: url.slice(start) };
}

function toResponse(incoming: IncomingMessage): Response {
  // Who reads the body gets its error there; a body that nobody reads any more may break.
  incoming.on("error", () => undefined);
  const status = incoming.statusCode ?? 502;
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (typeof value === "string") headers.set(name, value);
  }
  if (EMPTY.has(status)) incoming.resume();
  return new Response(EMPTY.has(status) ? null : Readable.toWeb(incoming), { status, headers });
}
