import { readFileSync } from "node:fs";
import { type ConnectionOptions, createSecureContext, type SecureContextOptions, type TlsOptions } from "node:tls";
import type { StringMap, WorkerConfig } from "@headrace/contract";
import { readTls } from "./kafka/client-security.ts";
import type { Material } from "./kafka/settings.ts";

/** Key material of the REST API: for its https listeners, and for requests to other workers. */
export interface RestTls {
  readonly server: TlsOptions;
  readonly client: ConnectionOptions;
}

const PREFIX = "listeners.https.";

/**
 * Reads `listeners.https.ssl.*` if there is any such key, otherwise `ssl.*`; the two are never mixed, as in Java (contract §6.1).
 * Throws an error that says which key is wrong.
 */
export function readRestTls(properties: StringMap, clientAuth: WorkerConfig["ssl.client.auth"]): RestTls {
  const own = Object.entries(properties).filter(([key]) => key.startsWith(PREFIX));
  const chosen =
    own.length === 0 ? properties : Object.fromEntries(own.map(([key, value]) => [key.slice(PREFIX.length), value]));
  const warnings: string[] = [];
  const tls = readTls(chosen, warnings);
  if (warnings.length > 0) throw new Error(warnings.join("; "));
  const identity = toSecureContext({
    cert: read("ssl.keystore", tls.certificate),
    key: read("ssl.keystore", tls.key),
    pfx: read("ssl.keystore.location", tls.pkcs12),
    passphrase: tls.keyPassword ?? tls.pkcs12Password ?? undefined,
    ca: read("ssl.truststore", tls.ca),
  });
  createSecureContext(identity);
  const wanted = chosen["ssl.client.auth"]?.trim().toLowerCase() ?? clientAuth;
  return {
    server: { ...identity, requestCert: wanted !== "none", rejectUnauthorized: wanted === "required" },
    client: { ...identity, ...(tls.verifyHostname ? {} : { checkServerIdentity: () => undefined }) },
  };
}

/** True if there is something that an https listener can show. */
export function hasIdentity(tls: RestTls): boolean {
  return tls.server.cert !== undefined || tls.server.pfx !== undefined;
}

function read(key: string, material: Material | null): string | Buffer | undefined {
  if (material === null) return undefined;
  if (material.kind === "text") return material.text;
  try {
    return readFileSync(material.path);
  } catch (error) {
    throw new Error(`${key} must be readable: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

function toSecureContext(
  given: {
    readonly [Key in "cert" | "key" | "pfx" | "ca" | "passphrase"]: string | Buffer | undefined;
  },
): SecureContextOptions {
  const passphrase = given.passphrase === undefined ? {} : { passphrase: String(given.passphrase) };
  const { cert, key, pfx, ca } = given;
  return {
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(pfx === undefined ? {} : { pfx }),
    ...(ca === undefined ? {} : { ca }),
    ...passphrase,
  };
}
