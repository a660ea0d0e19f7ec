import { readFile } from "node:fs/promises";
import { type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { ConnectError } from "../errors.ts";
import { tlsOptions } from "./connection.ts";
import type { OAuthSettings, OAuthSource } from "./settings.ts";

/** A bearer token as clients show it to brokers. */
export interface OAuthToken {
  readonly value: string;
  readonly principal: string;
  readonly expiresAtMs: number;
  readonly extensions: Readonly<Record<string, string>>;
}

/** Of a token that does not say when it ends. */
const DEFAULT_LIFETIME_SECONDS = 3_600;
const MAX_ANSWER_BYTES = 1_048_576;
/** What RFC 6750 allows in a token: anything else would change the meaning of the message that it travels in. */
const TOKEN = /^[\w\-.~+/]+=*$/;

/** Gets one token. Rejects with ConnectError `kafka-access`, which says where and what to do; never with a secret in it. */
export async function fetchToken(settings: OAuthSettings, nowMs: number, signal: AbortSignal): Promise<OAuthToken> {
  const { source } = settings;
  const { value, lifetimeSeconds } = await fetchValue(source, nowMs, signal);
  const origin = describeSource(source);
  if (!TOKEN.test(value))
    throw refuse(`${origin} gave something that is not a token; check that it is one JWT and nothing else`);
  const claims = readClaims(value);
  const expiresAtMs = typeof claims["exp"] === "number" ? claims["exp"] * 1_000 : nowMs + lifetimeSeconds * 1_000;
  if (expiresAtMs <= nowMs) {
    throw refuse(`${origin} gave a token that has expired; renew it, or check the clocks of both sides`);
  }
  const principal = claims[settings.principalClaim];
  const fallback = source.kind === "client-credentials" ? source.clientId : "unknown";
  return {
    value,
    principal: typeof principal === "string" && principal !== "" ? principal : fallback,
    expiresAtMs,
    extensions: settings.extensions,
  };
}

/** Where tokens come from, for messages. */
export function describeSource(source: OAuthSource): string {
  switch (source.kind) {
    case "client-credentials": {
      const url = new URL(source.url);
      return `The token endpoint ${url.protocol}//${url.host}${url.pathname}`;
    }
    case "file":
      return `The token file ${source.path}`;
    case "in-place":
      return "The option oauth.access.token of sasl.jaas.config";
    case "unsecured":
      return "The unsecured login of sasl.jaas.config";
    default:
      throw new Error(`unreachable: ${source satisfies never}`);
  }
}

interface TokenValue {
  readonly value: string;
  readonly lifetimeSeconds: number;
}

async function fetchValue(source: OAuthSource, nowMs: number, signal: AbortSignal): Promise<TokenValue> {
  switch (source.kind) {
    case "client-credentials":
      return await askEndpoint(source, signal);
    case "file":
      try {
        const text = await readFile(source.path, { encoding: "utf8", signal });
        return { value: text.trim(), lifetimeSeconds: DEFAULT_LIFETIME_SECONDS };
      } catch (error) {
        signal.throwIfAborted();
        throw refuse(`${describeSource(source)} cannot be read; mount it or correct its path`, error);
      }
    case "in-place":
      return { value: source.token, lifetimeSeconds: DEFAULT_LIFETIME_SECONDS };
    case "unsecured":
      return unsecuredToken(source, nowMs);
    default:
      throw new Error(`unreachable: ${source satisfies never}`);
  }
}

function unsecuredToken(
  { claims, lifetimeSeconds }: Extract<OAuthSource, { kind: "unsecured" }>,
  nowMs: number,
): TokenValue {
  const iat = nowMs / 1_000;
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString("base64url");
  const value = `${part({ alg: "none" })}.${part({ iat, exp: iat + lifetimeSeconds, ...claims })}.`;
  return { value, lifetimeSeconds };
}

async function askEndpoint(
  source: Extract<OAuthSource, { kind: "client-credentials" }>,
  signal: AbortSignal,
): Promise<TokenValue> {
  const origin = describeSource(source);
  const encode = source.urlEncode ? (text: string) => new URLSearchParams({ "": text }).toString().slice(1) : String;
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  if (source.scope !== null) form.set("scope", source.scope);
  const credentials = Buffer.from(`${encode(source.clientId)}:${encode(source.clientSecret)}`).toString("base64");
  let answer: { readonly status: number; readonly text: string };
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(source.timeoutMs)]);
    answer = await post(source, form.toString(), { authorization: `Basic ${credentials}` }, limit);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ConnectError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw refuse(
      `${origin} cannot be reached: ${why}; check sasl.oauthbearer.token.endpoint.url and, for its certificate, ` +
        "the ssl.truststore.* options in sasl.jaas.config",
      error,
    );
  }
  const json = parseObject(answer.text);
  if (answer.status !== 200) {
    const error = typeof json["error"] === "string" && /^[a-z_]{1,40}$/.test(json["error"]) ? ` ${json["error"]}` : "";
    throw refuse(
      `${origin} answered ${answer.status}${error}; check clientId, clientSecret and scope in sasl.jaas.config`,
    );
  }
  const value = json["access_token"];
  if (typeof value !== "string" || value === "") {
    throw refuse(`${origin} answered without access_token; check that it is the token endpoint of an OAuth server`);
  }
  const lifetimeSeconds = Number(json["expires_in"]);
  return { value, lifetimeSeconds: lifetimeSeconds > 0 ? lifetimeSeconds : DEFAULT_LIFETIME_SECONDS };
}

function post(
  { url, tls }: Extract<OAuthSource, { kind: "client-credentials" }>,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly text: string }> {
  const options: RequestOptions = {
    method: "POST",
    signal,
    // A connection of its own for each: minutes lie between two tokens.
    agent: false,
    headers: {
      ...headers,
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
      "content-length": Buffer.byteLength(body),
    },
  };
  return new Promise((resolve, reject) => {
    const request = url.startsWith("https:")
      ? requestHttps(url, { ...options, ...(tls === null ? {} : tlsOptions(tls)) })
      : requestHttp(url, options);
    request.once("error", reject);
    request.once("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) request.destroy(new Error("the answer is too large"));
        else chunks.push(chunk);
      });
      response.once("error", reject);
      response.once("end", () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
      });
    });
    request.end(body);
  });
}

/** The claims of a JWT, unverified: that is the broker's business. Empty for an opaque token. */
function readClaims(token: string): Readonly<Record<string, unknown>> {
  const payload = token.split(".")[1];
  return payload === undefined ? {} : parseObject(Buffer.from(payload, "base64url").toString("utf8"));
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? { ...json } : {};
  } catch {
    return {}; // Not JSON: nothing is known of it.
  }
}

function refuse(message: string, cause?: unknown): ConnectError {
  return new ConnectError("kafka-access", message, cause === undefined ? {} : { cause });
}
