import type { StringMap } from "@headrace/contract";
import { readTls } from "./client-tls.ts";
import { parseJaas } from "./jaas.ts";
import { type OAuthTrust, readOAuth } from "./oauth-settings.ts";
import type { Material, OAuthSettings, SaslSettings, TlsSettings } from "./settings.ts";

export { readTls } from "./client-tls.ts";

/** Java's security properties, understood once and rendered for each of our two client libraries. */
export interface Security {
  readonly protocol: "plaintext" | "ssl" | "sasl_plaintext" | "sasl_ssl";
  readonly sasl: SaslSettings | null;
  readonly tls: TlsSettings | null;
  /** What cannot be used, by key, with what to do; a client made in spite of it would not be as secure as asked for. Never a value of a secret. */
  readonly problems: readonly string[];
  /** What has no effect, by key. */
  readonly warnings: readonly string[];
}

const PROTOCOLS = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] as const;
const PASSWORD_MECHANISMS = ["plain", "scram-sha-256", "scram-sha-512"] as const;
const KNOWN_MECHANISMS = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER";

/** Keys that are read here or in the files beside. */
const READ = new Set([
  "security.protocol",
  "sasl.mechanism",
  "sasl.jaas.config",
  "sasl.oauthbearer.token.endpoint.url",
  "sasl.oauthbearer.client.credentials.client.id",
  "sasl.oauthbearer.client.credentials.client.secret",
  "sasl.oauthbearer.scope",
  "sasl.oauthbearer.header.urlencode",
  "sasl.oauthbearer.sub.claim.name",
  "sasl.login.refresh.window.factor",
  "sasl.login.refresh.window.jitter",
  "sasl.login.refresh.min.period.seconds",
  "sasl.login.refresh.buffer.seconds",
  "sasl.login.retry.backoff.ms",
  "sasl.login.retry.backoff.max.ms",
  "sasl.login.read.timeout.ms",
  "ssl.truststore.type",
  "ssl.truststore.location",
  "ssl.truststore.certificates",
  "ssl.truststore.password",
  "ssl.keystore.type",
  "ssl.keystore.location",
  "ssl.keystore.password",
  "ssl.keystore.key",
  "ssl.keystore.certificate.chain",
  "ssl.key.password",
  "ssl.endpoint.identification.algorithm",
  // Of listeners, not of clients.
  "ssl.client.auth",
  // Java's handlers and retrievers do what is built in here; the JAAS options say which.
  "sasl.login.callback.handler.class",
  "sasl.login.class",
  "sasl.oauthbearer.jwt.retriever.class",
  "sasl.oauthbearer.jwt.validator.class",
  "sasl.login.connect.timeout.ms",
  // Node's and OpenSSL's own choices; they have no meaning outside a JVM.
  "ssl.provider",
  "ssl.secure.random.implementation",
  "ssl.keymanager.algorithm",
  "ssl.trustmanager.algorithm",
]);

/** Whether a property is about security, so that it is taken from the worker's un-prefixed settings too (DESIGN §4.4). */
export function isSecurityProperty(key: string): boolean {
  return key === "security.protocol" || key.startsWith("sasl.") || key.startsWith("ssl.");
}

/**
 * Reads `security.protocol`, `sasl.*` and `ssl.*`. `trust`: where tokens may be fetched from, for settings that somebody else than the
 * owner of the worker has given; null for anywhere.
 */
export function readSecurity(properties: StringMap, trust: OAuthTrust | null = null): Security {
  const problems: string[] = [];
  const warnings: string[] = [];
  const wanted = (properties["security.protocol"] ?? "PLAINTEXT").trim().toLowerCase();
  const protocol = PROTOCOLS.find((name) => name === wanted);
  if (protocol === undefined) {
    problems.push("security.protocol must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL");
  }
  const effective = protocol ?? "plaintext";
  const usesTls = effective.endsWith("ssl");
  const usesSasl = effective.startsWith("sasl");
  for (const key of Object.keys(properties)) {
    if (!isSecurityProperty(key) || READ.has(key)) continue;
    if (key.startsWith("ssl.") ? usesTls : usesSasl) warnings.push(`${key} is not supported and has no effect`);
  }
  return {
    protocol: effective,
    sasl: usesSasl ? readSasl(properties, problems, trust) : null,
    tls: usesTls ? readTls(properties, problems) : null,
    problems,
    warnings,
  };
}

function readSasl(properties: StringMap, problems: string[], trust: OAuthTrust | null): SaslSettings | null {
  // Java's default, which is hardly ever meant.
  const wanted = (properties["sasl.mechanism"] ?? "GSSAPI").trim().toLowerCase();
  const { options } = parseJaas(properties["sasl.jaas.config"] ?? "");
  if (wanted === "oauthbearer") {
    const oauth = readOAuth(properties, options, problems, trust);
    return oauth === null ? null : { mechanism: "oauthbearer", oauth };
  }
  const mechanism = PASSWORD_MECHANISMS.find((name) => name === wanted);
  if (mechanism === undefined) {
    problems.push(unsupported(wanted, properties["sasl.mechanism"] === undefined));
    return null;
  }
  const username = options.get("username");
  const password = options.get("password");
  if (username === undefined || password === undefined) {
    problems.push('sasl.jaas.config must be: <login module> required username="…" password="…";');
    return null;
  }
  return { mechanism, username, password };
}

function unsupported(mechanism: string, byDefault: boolean): string {
  if (mechanism === "gssapi") {
    const why = byDefault ? "GSSAPI (the default)" : "GSSAPI";
    return `sasl.mechanism ${why} is not supported: Kerberos is missing in this worker. Use one of ${KNOWN_MECHANISMS}`;
  }
  if (mechanism === "aws_msk_iam") {
    return `sasl.mechanism AWS_MSK_IAM is not supported: signing with AWS credentials is missing in this worker. Use SCRAM-SHA-512 or SSL with Amazon MSK, or an OAUTHBEARER token in a file that a sidecar renews`;
  }
  return `sasl.mechanism must be one of ${KNOWN_MECHANISMS}`;
}

/** librdkafka's properties for the same. OAUTHBEARER's tokens are handed to it while it runs. */
export function toLibrdkafkaSecurity({ protocol, sasl, tls }: Security): Record<string, string> {
  const config: Record<string, string> = { "security.protocol": protocol };
  if (sasl !== null) config["sasl.mechanism"] = sasl.mechanism.toUpperCase();
  if (sasl !== null && sasl.mechanism !== "oauthbearer") {
    config["sasl.username"] = sasl.username;
    config["sasl.password"] = sasl.password;
  }
  if (tls === null) return config;
  const put = (name: string, material: Material | null) => {
    if (material === null) return;
    if (material.kind === "text") config[`${name}.pem`] = material.text;
    else config[`${name}.location`] = material.path;
  };
  put("ssl.ca", tls.ca);
  put("ssl.certificate", tls.certificate);
  put("ssl.key", tls.key);
  put("ssl.keystore", tls.pkcs12);
  if (tls.keyPassword !== null) config["ssl.key.password"] = tls.keyPassword;
  if (tls.pkcs12Password !== null) config["ssl.keystore.password"] = tls.pkcs12Password;
  config["ssl.endpoint.identification.algorithm"] = tls.verifyHostname ? "https" : "none";
  return config;
}

/** What OAUTHBEARER needs besides the properties; null for every other mechanism. */
export function oauthOf({ sasl }: Security): OAuthSettings | null {
  return sasl?.mechanism === "oauthbearer" ? sasl.oauth : null;
}
