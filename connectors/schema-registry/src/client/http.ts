import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type IncomingMessage, Agent as PlainAgent, request as plainRequest } from "node:http";
import { type AgentOptions, Agent as SecureAgent, request as secureRequest } from "node:https";
import { createSecureContext } from "node:tls";
import { ConfigError } from "@headrace/sdk";
import type { RegistrySettings } from "./settings.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  /** Where a redirect leads, as the answer has it. */
  readonly location?: string | undefined;
}

/** Sends one request. Rejects if it cannot be sent or is not answered in time; any status is an answer. */
export type SendHttp = (url: string, request: HttpRequest) => Promise<HttpAnswer>;

/** Longest answer that is read, bytes; no schema is larger. */
const MAX_ANSWER = 16 << 20;

/** HTTP with connections that are kept, and TLS as configured. Throws ConfigError for keys and certificates that cannot be read. */
export function createHttp(settings: RegistrySettings): SendHttp {
  const kept = { keepAlive: true, maxSockets: 4 };
  const plain = new PlainAgent(kept);
  const secure = new SecureAgent({ ...kept, ...tlsOf(settings) });
  const deadlineMs = settings["http.connect.timeout.ms"] + settings["http.read.timeout.ms"];

  return async (url, { method, headers, body }) => {
    const answered = Promise.withResolvers<IncomingMessage>();
    const target = new URL(url);
    const options = { method, headers: { ...headers, ...lengthOf(body) }, signal: AbortSignal.timeout(deadlineMs) };
    const request =
      target.protocol === "https:"
        ? secureRequest(target, { ...options, agent: secure }, answered.resolve)
        : plainRequest(target, { ...options, agent: plain }, answered.resolve);
    request.on("error", answered.reject);
    request.setTimeout(settings["http.read.timeout.ms"], () => request.destroy(new Error("no answer in time")));
    request.end(body);
    const response = await answered.promise;
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response) {
      size += chunk.length;
      if (size > MAX_ANSWER) throw new Error(`the answer has more than ${MAX_ANSWER} bytes`);
      chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString("utf8");
    return { status: response.statusCode ?? 0, text, location: response.headers.location };
  };
}

function lengthOf(body: string | undefined): Record<string, string> {
  return body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
}

function tlsOf(settings: RegistrySettings): AgentOptions {
  const read = (key: "schema.registry.ssl.truststore.location" | "schema.registry.ssl.keystore.location") => {
    const path = settings[key];
    if (path === undefined || path === "") return undefined;
    try {
      return readFileSync(path);
    } catch (cause) {
      throw new ConfigError(`${key}: ${path} cannot be read`, { cause });
    }
  };
  const ca =
    settings["schema.registry.ssl.truststore.certificates"]?.reveal() ||
    read("schema.registry.ssl.truststore.location");
  const store = read("schema.registry.ssl.keystore.location");
  const isPkcs12 = settings["schema.registry.ssl.keystore.type"] === "PKCS12";
  const cert = settings["schema.registry.ssl.keystore.certificate.chain"]?.reveal() ?? (isPkcs12 ? undefined : store);
  const key = settings["schema.registry.ssl.keystore.key"]?.reveal() ?? (isPkcs12 ? undefined : store);
  const passphrase =
    settings[isPkcs12 ? "schema.registry.ssl.keystore.password" : "schema.registry.ssl.key.password"]?.reveal();
  const anyName = settings["schema.registry.ssl.endpoint.identification.algorithm"] === "";
  const own = {
    ...(isPkcs12 && store !== undefined && { pfx: store }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(passphrase !== undefined && { passphrase }),
  };
  // Node ignores what it cannot read of these.
  if (ca !== undefined) check("schema.registry.ssl.truststore", () => new X509Certificate(ca));
  check("schema.registry.ssl.keystore", () => createSecureContext(own));
  return { ...own, ...(ca !== undefined && { ca }), ...(anyName && { checkServerIdentity: () => undefined }) };
}

/** Otherwise each connection would fail by it, as if the registry were away. */
function check(keys: string, use: () => unknown): void {
  try {
    use();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`${keys}.*: the certificates or the key cannot be used: ${reason}`, { cause });
  }
}
