import type { StringMap } from "@headrace/contract";
import type { Material, SaslSettings, TlsSettings } from "./settings.ts";

/** Java's security properties, understood once and rendered for each of our two client libraries. */
export interface Security {
  readonly protocol: "plaintext" | "ssl" | "sasl_plaintext" | "sasl_ssl";
  readonly sasl: SaslSettings | null;
  readonly tls: TlsSettings | null;
  readonly warnings: readonly string[];
}

const PROTOCOLS = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] as const;
const MECHANISMS = ["plain", "scram-sha-256", "scram-sha-512"] as const;

/** Keys that this file reads. */
const READ = new Set([
  "security.protocol",
  "sasl.mechanism",
  "sasl.jaas.config",
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

/** Reads `security.protocol`, `sasl.*` and `ssl.*`. Warnings name keys, never values. */
export function readSecurity(properties: StringMap): Security {
  const warnings: string[] = [];
  const wanted = (properties["security.protocol"] ?? "PLAINTEXT").trim().toLowerCase();
  const protocol = PROTOCOLS.find((name) => name === wanted);
  if (protocol === undefined) warnings.push("security.protocol is none of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL");
  const effective = protocol ?? "plaintext";
  const usesTls = effective.endsWith("ssl");
  const usesSasl = effective.startsWith("sasl");
  for (const key of Object.keys(properties)) {
    if (!isSecurityProperty(key) || READ.has(key)) continue;
    if (key.startsWith("ssl.") ? usesTls : usesSasl) warnings.push(`${key} is not supported and has no effect`);
  }
  return {
    protocol: effective,
    sasl: usesSasl ? readSasl(properties, warnings) : null,
    tls: usesTls ? readTls(properties, warnings) : null,
    warnings,
  };
}

function readSasl(properties: StringMap, warnings: string[]): SaslSettings | null {
  const wanted = (properties["sasl.mechanism"] ?? "GSSAPI").trim().toLowerCase();
  const mechanism = MECHANISMS.find((name) => name === wanted);
  if (mechanism === undefined) {
    warnings.push("sasl.mechanism is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; others are not supported");
    return null;
  }
  const options = parseJaasOptions(properties["sasl.jaas.config"] ?? "");
  const username = options.get("username");
  const password = options.get("password");
  if (username === undefined || password === undefined) {
    warnings.push("sasl.jaas.config has no username and password");
    return null;
  }
  return { mechanism, username, password };
}

/** The options of the first login module: `class flag key="value" …;`. Source: javax.security.auth.login.Configuration. */
export function parseJaasOptions(jaas: string): ReadonlyMap<string, string> {
  const options = new Map<string, string>();
  const token = /;|([\w.]+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([^\s;]+))|"(?:\\.|[^"\\])*"/g;
  for (const [match, key, double, single, bare] of jaas.matchAll(token)) {
    if (match === ";") break;
    if (key === undefined) continue;
    const quoted = double ?? single;
    options.set(key, quoted === undefined ? (bare ?? "") : quoted.replace(/\\(.)/g, "$1"));
  }
  return options;
}

/** Key material from Java's `ssl.*`; what cannot be used is added to `warnings`. */
export function readTls(properties: StringMap, warnings: string[]): TlsSettings {
  const keyPassword = properties["ssl.key.password"] ?? null;
  const algorithm = properties["ssl.endpoint.identification.algorithm"] ?? "https";
  const none = { certificate: null, key: null, keyPassword: null, pkcs12: null, pkcs12Password: null };
  return {
    ca: readTruststore(properties, warnings),
    ...none,
    ...readKeystore(properties, keyPassword, warnings),
    verifyHostname: algorithm.trim() !== "",
  };
}

function readTruststore(properties: StringMap, warnings: string[]): Material | null {
  const certificates = properties["ssl.truststore.certificates"];
  if (certificates !== undefined) return { kind: "text", text: normalizePem(certificates) };
  const path = properties["ssl.truststore.location"];
  if (path === undefined) return null;
  if (storeType(properties["ssl.truststore.type"], path) === "PEM") return { kind: "file", path };
  warnings.push("ssl.truststore.type must be PEM here; convert the truststore, it is not used");
  return null;
}

function readKeystore(properties: StringMap, keyPassword: string | null, warnings: string[]): Partial<TlsSettings> {
  const chain = properties["ssl.keystore.certificate.chain"];
  const key = properties["ssl.keystore.key"];
  if (chain !== undefined && key !== undefined) {
    return {
      certificate: { kind: "text", text: normalizePem(chain) },
      key: { kind: "text", text: normalizePem(key) },
      keyPassword,
    };
  }
  const path = properties["ssl.keystore.location"];
  if (path === undefined) return {};
  const file: Material = { kind: "file", path };
  switch (storeType(properties["ssl.keystore.type"], path)) {
    case "PEM":
      return { certificate: file, key: file, keyPassword };
    case "PKCS12":
      return { pkcs12: file, pkcs12Password: properties["ssl.keystore.password"] ?? null };
    default:
      warnings.push("ssl.keystore.type must be PEM or PKCS12 here; convert the keystore, it is not used");
      return {};
  }
}

function storeType(type: string | undefined, path: string): string {
  if (type !== undefined) return type.trim().toUpperCase();
  if (/\.(pem|crt|cer|key)$/i.test(path)) return "PEM";
  return /\.(p12|pfx)$/i.test(path) ? "PKCS12" : "JKS";
}

/** Java accepts PEM on one line; OpenSSL wants lines of 64 characters. */
function normalizePem(text: string): string {
  const block = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g;
  return [...text.matchAll(block)]
    .map(([match, label, body = ""]) => {
      if (body.includes(":")) return `${match}\n`; // An encrypted key of the old form: it has headers.
      const lines = body.replace(/\s+/g, "").match(/.{1,64}/g) ?? [];
      return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
    })
    .join("");
}

/** librdkafka's properties for the same. */
export function toLibrdkafkaSecurity({ protocol, sasl, tls }: Security): Record<string, string> {
  const config: Record<string, string> = { "security.protocol": protocol };
  if (sasl !== null) {
    config["sasl.mechanism"] = sasl.mechanism.toUpperCase();
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
