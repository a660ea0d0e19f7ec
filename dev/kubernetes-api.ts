import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { dirname, resolve } from "node:path";
import { json, text } from "node:stream/consumers";
import { parse } from "yaml";
import { z } from "zod";

/** A refused request: `status` and `reason` are the API server's. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** One event of a watch. `ERROR` events are thrown as {@link ApiError}. */
export interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: T;
}

export interface ApiRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its query, for instance `/api/v1/pods?limit=500`. */
  readonly path: string;
  readonly body?: unknown;
  /** Default: `application/json`. */
  readonly contentType?: string;
}

/** A small client of the Kubernetes API for the dev tools: plain requests and watches, no caches, no retries. */
export interface KubernetesApi {
  readonly server: string;
  /** Answers the decoded body; throws {@link ApiError} for statuses from 400 on. Gives up after ten seconds. */
  request<T>(request: ApiRequest, signal: AbortSignal): Promise<T>;
  /** Whether /readyz answers ok. Never throws. */
  isReady(signal: AbortSignal): Promise<boolean>;
  /** The events of a watch until the server ends it. `path` has the query, `watch=1` included. */
  watch<T>(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent<T>>;
  /** Closes idle connections. */
  close(): void;
}

const REQUEST_TIMEOUT_MS = 30_000;
/** Short, since a server that is starting may accept a connection and never answer it. */
const READY_TIMEOUT_MS = 2000;

const kubeconfigSchema = z.object({
  "current-context": z.string(),
  contexts: z.array(z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: z.string() }) })),
  clusters: z.array(
    z.object({
      name: z.string(),
      cluster: z.object({
        server: z.string(),
        "certificate-authority": z.string().optional(),
        "certificate-authority-data": z.string().optional(),
      }),
    }),
  ),
  users: z.array(
    z.object({
      name: z.string(),
      user: z.object({
        token: z.string().optional(),
        tokenFile: z.string().optional(),
        "client-certificate": z.string().optional(),
        "client-certificate-data": z.string().optional(),
        "client-key": z.string().optional(),
        "client-key-data": z.string().optional(),
      }),
    }),
  ),
});

/** Opens the cluster and user of a kubeconfig's current context: token, token file or client certificate. */
export function openKubernetesApi(kubeconfigFile: string): KubernetesApi {
  const config = kubeconfigSchema.parse(parse(readFileSync(kubeconfigFile, "utf8")));
  const context = config.contexts.find(({ name }) => name === config["current-context"])?.context;
  const cluster = config.clusters.find(({ name }) => name === context?.cluster)?.cluster;
  const user = config.users.find(({ name }) => name === context?.user)?.user;
  if (cluster === undefined || user === undefined) {
    throw new Error(`${kubeconfigFile}: context "${config["current-context"]}" names no cluster and user of the file`);
  }
  const read = (data: string | undefined, file: string | undefined) => {
    if (data !== undefined) return Buffer.from(data, "base64");
    return file === undefined ? undefined : readFileSync(resolve(dirname(kubeconfigFile), file));
  };
  const agent = new Agent({
    keepAlive: true,
    ca: read(cluster["certificate-authority-data"], cluster["certificate-authority"]),
    cert: read(user["client-certificate-data"], user["client-certificate"]),
    key: read(user["client-key-data"], user["client-key"]),
  });
  const token = user.token ?? read(undefined, user.tokenFile)?.toString().trim();
  const secure = cluster.server.startsWith("https:");

  const send = (request: ApiRequest, signal: AbortSignal): Promise<IncomingMessage> =>
    new Promise((resolveResponse, reject) => {
      const body = request.body === undefined ? undefined : JSON.stringify(request.body);
      const outgoing = (secure ? httpsRequest : httpRequest)(`${cluster.server}${request.path}`, {
        method: request.method ?? "GET",
        ...(secure && { agent }),
        headers: {
          accept: "application/json",
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && {
            "content-type": request.contentType ?? "application/json",
            "content-length": Buffer.byteLength(body),
          }),
        },
        signal,
      });
      outgoing.once("response", resolveResponse);
      outgoing.on("error", reject);
      outgoing.end(body);
    });

  return {
    server: cluster.server,
    async request<T>(request: ApiRequest, signal: AbortSignal): Promise<T> {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
      const response = await send(request, deadline);
      await throwIfRefused(response, request);
      return (await json(response)) as T;
    },
    async isReady(signal: AbortSignal): Promise<boolean> {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
      try {
        const response = await send({ path: "/readyz" }, deadline);
        return response.statusCode === 200 && (await text(response)) === "ok";
      } catch {
        return false;
      }
    },
    async *watch<T>(path: string, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
      const response = await send({ path }, signal);
      try {
        await throwIfRefused(response, { path });
        for await (const line of lines(response)) {
          const event = JSON.parse(line) as WatchEvent<T> | { readonly type: "ERROR"; readonly object: Status };
          if (event.type === "ERROR") throw toApiError(event.object, 500, `watch ${path}`);
          yield event;
        }
      } finally {
        response.destroy();
      }
    },
    close: () => agent.destroy(),
  };
}

/** The lines of a response; fails if the connection breaks. (readline's iterator would wait for ever.) */
async function* lines(response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding("utf8");
  let rest = "";
  for await (const chunk of response) {
    const parts = `${rest}${chunk}`.split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((part) => part !== "");
  }
}

interface Status {
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
}

function toApiError(status: Status, code: number, doing: string): ApiError {
  return new ApiError(
    status.code ?? code,
    status.reason ?? "Unknown",
    `${doing}: ${status.message ?? `HTTP ${status.code ?? code}`}`,
  );
}

async function throwIfRefused(response: IncomingMessage, request: ApiRequest): Promise<void> {
  const code = response.statusCode ?? 0;
  if (code < 400) return;
  const body = await text(response);
  const doing = `${request.method ?? "GET"} ${request.path}`;
  let status: Status = { message: body.slice(0, 500) };
  try {
    status = JSON.parse(body) as Status;
  } catch {
    // Not a Status object (a proxy's page, /readyz): the text is the message.
  }
  throw toApiError(status, code, doing);
}
