import { fileURLToPath } from "node:url";
import type { StringMap } from "@headrace/contract";
import { readTls } from "./client-tls.ts";
import type { OAuthSettings, OAuthSource } from "./settings.ts";

const DEFAULTS = {
  windowFactor: 0.8,
  windowJitter: 0.05,
  minPeriodSeconds: 60,
  bufferSeconds: 300,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 10_000,
  timeoutMs: 10_000,
};
const UNSECURED = "unsecuredLogin";

/** Where a connector's settings may send the worker for a token: only where the worker's own settings do, or allow it. */
export interface OAuthTrust {
  readonly urls: ReadonlySet<string>;
}

/**
 * Reads how OAUTHBEARER tokens are got: Java's `sasl.oauthbearer.*` with JAAS options `clientId`, `clientSecret`, `scope`
 * (KIP-768, KIP-1139), the options `oauth.*` of Strimzi's login handler, or Java's unsecured tokens (KIP-255). null after a problem.
 */
export function readOAuth(
  properties: StringMap,
  options: ReadonlyMap<string, string>,
  problems: string[],
  trust: OAuthTrust | null,
): OAuthSettings | null {
  const source = readSource(properties, options, problems, trust);
  if (source === null) return null;
  const number = (key: string, fallback: number) => {
    const value = Number(properties[key] ?? fallback);
    if (Number.isFinite(value) && value >= 0) return value;
    problems.push(`${key} must be a number`);
    return fallback;
  };
  return {
    source,
    extensions: Object.fromEntries(
      [...options].flatMap(([key, value]) => (key.startsWith("extension_") ? [[key.slice(10), value]] : [])),
    ),
    principalClaim: properties["sasl.oauthbearer.sub.claim.name"] ?? "sub",
    refresh: {
      windowFactor: number("sasl.login.refresh.window.factor", DEFAULTS.windowFactor),
      windowJitter: number("sasl.login.refresh.window.jitter", DEFAULTS.windowJitter),
      minPeriodSeconds: number("sasl.login.refresh.min.period.seconds", DEFAULTS.minPeriodSeconds),
      bufferSeconds: number("sasl.login.refresh.buffer.seconds", DEFAULTS.bufferSeconds),
      retryBackoffMs: number("sasl.login.retry.backoff.ms", DEFAULTS.retryBackoffMs),
      retryBackoffMaxMs: number("sasl.login.retry.backoff.max.ms", DEFAULTS.retryBackoffMaxMs),
    },
  };
}

function readSource(
  properties: StringMap,
  options: ReadonlyMap<string, string>,
  problems: string[],
  trust: OAuthTrust | null,
): OAuthSource | null {
  const given = (...names: string[]) => names.map((name) => options.get(name)).find((value) => value !== undefined);
  const inPlace = given("oauth.access.token");
  if (inPlace !== undefined) return { kind: "in-place", token: inPlace };
  const location = given("oauth.access.token.location");
  const url =
    location === undefined
      ? (properties["sasl.oauthbearer.token.endpoint.url"] ?? given("oauth.token.endpoint.uri"))
      : `file://${location}`;
  if (url === undefined) {
    if ([...options.keys()].some((name) => name.startsWith(UNSECURED)))
      return { kind: "unsecured", ...claims(options) };
    problems.push(
      "sasl.oauthbearer.token.endpoint.url must be given for OAUTHBEARER: an https URL, or file:///path of a token",
    );
    return null;
  }
  const parsed = URL.parse(url);
  if (parsed === null || !["https:", "http:", "file:"].includes(parsed.protocol)) {
    problems.push("sasl.oauthbearer.token.endpoint.url must be an http, https or file URL");
    return null;
  }
  if (trust !== null && !trust.urls.has(url)) {
    problems.push(
      `sasl.oauthbearer.token.endpoint.url ${shown(parsed)} is neither the worker's own nor in its headrace.sasl.oauthbearer.allowed.urls; ` +
        "add it there, so that connectors may send the worker there",
    );
    return null;
  }
  if (parsed.protocol === "file:") return { kind: "file", path: fileURLToPath(parsed) };
  const clientId = properties["sasl.oauthbearer.client.credentials.client.id"] ?? given("clientId", "oauth.client.id");
  const clientSecret =
    properties["sasl.oauthbearer.client.credentials.client.secret"] ?? given("clientSecret", "oauth.client.secret");
  if (clientId === undefined || clientSecret === undefined) {
    problems.push('sasl.jaas.config must have clientId="…" and clientSecret="…" for the token endpoint');
    return null;
  }
  const tlsOptions = Object.fromEntries([...options].filter(([name]) => name.startsWith("ssl.")));
  return {
    kind: "client-credentials",
    url,
    clientId,
    clientSecret,
    scope: properties["sasl.oauthbearer.scope"] ?? given("scope", "oauth.scope") ?? null,
    urlEncode: properties["sasl.oauthbearer.header.urlencode"]?.trim().toLowerCase() === "true",
    tls: Object.keys(tlsOptions).length === 0 ? null : readTls(tlsOptions, problems),
    timeoutMs: Number(properties["sasl.login.read.timeout.ms"] ?? DEFAULTS.timeoutMs) || DEFAULTS.timeoutMs,
  };
}

/** Claims of an unsecured token. Source: OAuthBearerUnsecuredLoginCallbackHandler. */
function claims(options: ReadonlyMap<string, string>): {
  readonly claims: Readonly<Record<string, string | number | readonly string[]>>;
  readonly lifetimeSeconds: number;
} {
  const found: Record<string, string | number | readonly string[]> = {};
  for (const [name, value] of options) {
    const [, type, claim = ""] = /^unsecuredLogin(String|Number|List)Claim_(.+)$/.exec(name) ?? [];
    if (type === "String") found[claim] = value;
    if (type === "Number") found[claim] = Number(value);
    // The first character separates the others, as in ",a,b".
    if (type === "List") found[claim] = value.slice(1).split(value.slice(0, 1));
  }
  return { claims: found, lifetimeSeconds: Number(options.get("unsecuredLoginLifetimeSeconds") ?? 3600) };
}

/** Without what could be a secret in it. */
function shown(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
