import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Connection, Credentials } from "./config.ts";
import { KubeError } from "./errors.ts";

/** One request to the API server. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  /** Media type of the answer; JSON if not given. */
  readonly accept?: string;
}

/** The answer, once its headers are in. `body` ends with an error if the connection breaks. */
export interface HttpResponse {
  readonly status: number;
  readonly retryAfterMs: number | null;
  readonly body: AsyncIterable<Buffer>;
}

/** HTTP to one API server, with keep-alive. */
export interface Http {
  /**
   * Sends a request and resolves with the answer's headers. Aborting `signal` also breaks off the body.
   * Throws KubeError `unavailable` when there is no answer, the signal's reason when it was aborted.
   */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
  /** The API did not accept our credentials: read them again for the next request. */
  refreshCredentials(): void;
  /** Closes idle connections. */
  close(): void;
}

const KEEP_ALIVE = { keepAlive: true, keepAliveMsecs: 10_000, maxFreeSockets: 8, timeout: 60_000 };

export function createHttp(connection: Connection, userAgent: string): Http {
  const { server } = connection;
  const secure = server.protocol === "https:";
  const prefix = server.pathname.replace(/\/$/, "");
  let agent: HttpAgent | null = null;
  let fingerprint = "";

  /** A new agent when the TLS material changed, so that new connections use it. */
  function agentFor(tls: Credentials["tls"]): HttpAgent {
    const now = [tls.ca, tls.cert, tls.key].join("\n");
    if (agent !== null && now === fingerprint) return agent;
    agent?.destroy();
    fingerprint = now;
    agent = secure ? new HttpsAgent({ ...KEEP_ALIVE, ...tls }) : new HttpAgent(KEEP_ALIVE);
    return agent;
  }

  async function send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
    const { tls, headers } = await connection.credentials().catch((cause: unknown) => {
      throw new KubeError("unavailable", `reading the Kubernetes credentials: ${messageOf(cause)}`, {}, { cause });
    });
    signal.throwIfAborted();
    return await new Promise((resolve, reject) => {
      const outgoing = (secure ? httpsRequest : httpRequest)({
        agent: agentFor(tls),
        host: server.hostname.replace(/^\[|\]$/g, ""),
        port: server.port === "" ? (secure ? 443 : 80) : server.port,
        method: request.method,
        path: prefix + request.path,
        headers: {
          ...headers,
          accept: request.accept ?? "application/json",
          "user-agent": userAgent,
          ...(request.body === undefined
            ? {}
            : {
                "content-type": request.contentType ?? "application/json",
                "content-length": Buffer.byteLength(request.body),
              }),
        },
      });
      const abort = () => outgoing.destroy(new Error("aborted"));
      signal.addEventListener("abort", abort, { once: true });
      outgoing.once("close", () => signal.removeEventListener("abort", abort));
      outgoing.on("error", (cause) => reject(signal.aborted ? signal.reason : noAnswer(request, cause)));
      outgoing.on("response", (incoming) =>
        resolve({
          status: incoming.statusCode ?? 0,
          retryAfterMs: parseRetryAfter(incoming.headers["retry-after"]),
          body: bodyOf(request, incoming, signal),
        }),
      );
      outgoing.end(request.body);
    });
  }

  return {
    send,
    refreshCredentials: () => connection.refresh(),
    close: () => agent?.destroy(),
  };
}

async function* bodyOf(request: HttpRequest, incoming: IncomingMessage, signal: AbortSignal): AsyncIterable<Buffer> {
  try {
    for await (const chunk of incoming) yield chunk;
  } catch (cause) {
    throw signal.aborted ? signal.reason : noAnswer(request, cause);
  }
  if (!incoming.complete) throw noAnswer(request, new Error("the answer was cut short"));
}

/** Reads a body to its end. */
export async function readText(response: HttpResponse): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function noAnswer({ method, path }: HttpRequest, cause: unknown): KubeError {
  return new KubeError("unavailable", `${method} ${path}: ${messageOf(cause)}`, {}, { cause });
}

function messageOf(cause: unknown): string {
  if (cause instanceof AggregateError) return cause.errors.map(messageOf).join("; ");
  return cause instanceof Error ? cause.message : String(cause);
}

/** Seconds as Kubernetes sends them; HTTP dates are not used by the API. */
function parseRetryAfter(header: string | undefined): number | null {
  const seconds = Number(header);
  return header === undefined || !Number.isFinite(seconds) || seconds < 0 ? null : seconds * 1000;
}
