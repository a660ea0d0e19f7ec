import { constants, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type ConnectionOptions, createSecureContext, type SecureContextOptions, type TlsOptions } from "node:tls";
import type { StringMap, WorkerConfig } from "@headrace/contract";
import { readTls } from "./kafka/client-security.ts";
import type { Material } from "./kafka/settings.ts";

/** Key material of the REST API: for its https listeners, and for requests to other workers. */
export interface RestTls {
  readonly server: TlsOptions;
  readonly client: ConnectionOptions;
  readonly fingerprints: Fingerprints;
}

/** SHA-256 of the certificate that is shown and of those that are trusted, as `AB:CD:…`. */
export interface Fingerprints {
  /** null: there is none, or it is in a PKCS #12 file. */
  readonly certificate: string | null;
  readonly trusted: string[];
}

const PREFIX = "listeners.https.";

/**
 * Reads `listeners.https.ssl.*` if there is any such key, otherwise `ssl.*`; the two are never mixed, as in Java (contract §6.1).
 * Throws an error that says which key is wrong.
 */
export function readRestTls(
  properties: StringMap,
  clientAuth: WorkerConfig["ssl.client.auth"],
  serverName: string | null = null,
): RestTls {
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
    server: {
      ...identity,
      requestCert: wanted !== "none",
      rejectUnauthorized: wanted === "required",
      // A resumed session would bring a verdict on the client's certificate from before a change of the truststore.
      secureOptions: constants.SSL_OP_NO_TICKET,
    },
    client: {
      ...identity,
      ...(tls.verifyHostname ? {} : { checkServerIdentity: () => undefined }),
      ...(serverName === null || serverName === "" ? {} : { servername: serverName }),
    },
    fingerprints: {
      certificate: fingerprintsIn(identity.cert)[0] ?? null,
      trusted: fingerprintsIn(identity.ca),
    },
  };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function fingerprintsIn(pem: SecureContextOptions["cert"]): string[] {
  if (pem === undefined) return [];
  return (String(pem).match(CERTIFICATE) ?? []).map((text) => new X509Certificate(text).fingerprint256);
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
