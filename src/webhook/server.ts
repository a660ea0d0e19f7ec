import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { ServingMaterial } from "./certificates.ts";

/** The port where the API server asks. */
export interface WebhookServer {
  readonly port: number;
  /** New connections get this certificate, and only this path is answered. Connections that idle are closed if it is another one. */
  use(material: ServingMaterial): void;
  close(): Promise<void>;
}

export interface WebhookAnswer {
  readonly status: number;
  /** Sent as JSON. */
  readonly body: object;
}

/** Answers the body of a request. `timeoutMs`: what the API server waits at most. Must not reject. */
export type Answerer = (text: string, timeoutMs: number, signal: AbortSignal) => Promise<WebhookAnswer>;

/** An object and its former version, each at most as large as etcd takes, and what is around them. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 5_000;
const MAX_TIMEOUT_MS = 30_000;

/** Opens the port. Nothing is answered before `use`. */
export async function openWebhookServer(
  address: { readonly host: string; readonly port: number },
  answer: Answerer,
): Promise<WebhookServer> {
  let path: Buffer | null = null;
  let shown = "";
  const closed = new AbortController();
  const server = createServer({ minVersion: "TLSv1.2" }, (request, response) => {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const url = new URL(request.url ?? "/", "https://webhook");
    const respond = async (): Promise<WebhookAnswer> => {
      if (request.method !== "POST" || path === null || !isSame(Buffer.from(url.pathname), path)) return NOT_FOUND;
      const text = await readBody(request);
      if (text === null) return TOO_LARGE;
      return await answer(text, timeoutIn(url), AbortSignal.any([gone.signal, closed.signal]));
    };
    respond()
      .then(({ status, body }) =>
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body)),
      )
      .catch(() => response.destroy());
  });
  server.requestTimeout = 10_000;
  // The API server's connections: a handshake that fails is told by its own log.
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host, resolve);
  });
  return {
    port: portOf(server.address()),
    use(material) {
      server.setSecureContext({ key: material.pair.key, cert: material.pair.certificate, minVersion: "TLSv1.2" });
      path = Buffer.from(material.path);
      if (shown !== material.pair.certificate) server.closeIdleConnections();
      shown = material.pair.certificate;
    },
    async close() {
      closed.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const NOT_FOUND: WebhookAnswer = { status: 404, body: { message: "not found" } };
const TOO_LARGE: WebhookAnswer = { status: 413, body: { message: "the request is too large" } };

function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The API server says how long it waits: `?timeout=5s`. */
function timeoutIn({ searchParams }: URL): number {
  const seconds = /^(\d+)s$/.exec(searchParams.get("timeout") ?? "")?.[1];
  return seconds === undefined ? DEFAULT_TIMEOUT_MS : Math.min(Number(seconds) * 1_000, MAX_TIMEOUT_MS);
}

/** Null if it is longer than any that the API server sends. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MAX_BODY_BYTES) return null;
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}
