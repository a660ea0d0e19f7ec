import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import type { ConnectionOptions } from "node:tls";

/** How a peer reacted to a request. Only `refused` proves that nobody listens there any more. */
export type PeerAnswer =
  /** `body` is the parsed JSON, undefined if there is none. */
  | { readonly kind: "answered"; readonly status: number; readonly body: unknown }
  | { readonly kind: "refused" }
  | { readonly kind: "reset" }
  /** No answer in time, no route, no name: nothing is known. */
  | { readonly kind: "silent" };

/** HTTP to the other workers' REST. */
export interface PeerTransport {
  /** Never rejects; ends within its deadline or when `signal` aborts. */
  request(method: "GET" | "POST", url: string, signal: AbortSignal): Promise<PeerAnswer>;
  close(): void;
}

const MAX_BODY_BYTES = 8 * 1024 * 1024;
const KEPT = { keepAlive: true, maxSockets: 4, maxFreeSockets: 1 };
const PLAIN: ConnectionOptions = {};

/**
 * Requests over kept connections, a few per peer: a probe then costs no handshake, and the death of a peer's process closes them,
 * so that the next probe meets the refusal. `tls` answers what https peers are trusted by, and the certificate to show them: the same
 * object as long as nothing has changed.
 */
export function createPeerTransport(tls: () => ConnectionOptions = () => PLAIN, timeoutMs = 1_000): PeerTransport {
  const http = new HttpAgent(KEPT);
  let trust = tls();
  let https = new HttpsAgent({ ...trust, ...KEPT });

  /** After a change new connections are made; peers close the old ones when they idle. */
  function currentHttps(): HttpsAgent {
    const now = tls();
    if (now === trust) return https;
    trust = now;
    https = new HttpsAgent({ ...trust, ...KEPT });
    return https;
  }

  function send(method: "GET" | "POST", url: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = url.startsWith("https:")
      ? requestHttps(url, { method, agent: currentHttps(), signal })
      : requestHttp(url, { method, agent: http, signal });
    request.once("response", resolve);
    request.once("error", reject);
    request.end();
    return promise;
  }

  return {
    async request(method, url, signal) {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      try {
        const response = await send(method, url, limited);
        return { kind: "answered", status: response.statusCode ?? 0, body: await readJson(response) };
      } catch (error) {
        return { kind: limited.aborted ? "silent" : failureKind(error) };
      }
    },
    close() {
      http.destroy();
      https.destroy();
    },
  };
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    return undefined; // Not JSON: the status alone is the answer.
  }
}

function failureKind(error: unknown): "refused" | "reset" | "silent" {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ECONNREFUSED") return "refused";
  return code === "ECONNRESET" || code === "EPIPE" ? "reset" : "silent";
}
