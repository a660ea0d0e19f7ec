import { createPrivateKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { ConnectionOptions } from "node:tls";
import { ConfigError } from "@headrace/sdk";
import { sqlState } from "./sql-state.ts";

/** As libpq has them. Source: PostgreSQL, "SSL Mode Descriptions". */
const MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
type TlsMode = (typeof MODES)[number];

const FILES = ["sslrootcert", "sslcert", "sslkey"] as const;

/** How a connection is encrypted, as its URL says. */
export interface Tls {
  readonly mode: TlsMode;
  /** Names of files; null: not given. */
  readonly files: Readonly<Record<(typeof FILES)[number], string | null>>;
}

/** Takes `ssl`, `sslmode` and the names of files out of a URL's parameters. Throws ConfigError for what makes no sense. */
export function takeTls({ searchParams: parameters }: URL): Tls {
  // A parameter that is left there, if only without a value, would count for more than what is made of it here.
  const take = (name: string) => {
    const value = parameters.get(name);
    parameters.delete(name);
    return value;
  };
  const takeText = (name: string) => take(name) || null;
  const [ssl, given] = [take("ssl"), takeText("sslmode")];
  const files = {
    sslrootcert: takeText("sslrootcert"),
    sslcert: takeText("sslcert"),
    sslkey: takeText("sslkey"),
  };
  const mode = MODES.find((each) => each === given?.toLowerCase());
  if (given !== null && mode === undefined) throw new ConfigError(`sslmode=${given} is none of ${MODES.join(", ")}`);
  if (mode === "verify-ca" && files.sslrootcert === null)
    throw new ConfigError("sslmode=verify-ca needs sslrootcert: the file with the authorities' certificates");
  if ((files.sslcert === null) !== (files.sslkey === null))
    throw new ConfigError("sslcert and sslkey, the files with the client's certificate and its key, need one another");
  return { mode: mode ?? impliedMode(ssl, files), files };
}

/**
 * `ssl=true`, or `ssl` alone, is the JDBC driver's. Without a word of it, TLS is taken where the server has it, as by libpq and the JDBC driver.
 * Throws ConfigError for what might be meant either way.
 */
function impliedMode(ssl: string | null, files: Tls["files"]): TlsMode {
  if (ssl === null) return Object.values(files).some((file) => file !== null) ? "verify-full" : "prefer";
  if (/^(true|1|)$/i.test(ssl)) return "verify-full";
  if (/^(false|0)$/i.test(ssl)) return "disable";
  throw new ConfigError(`ssl=${ssl} is neither true nor false; sslmode has more ways of TLS`);
}

/** What is tried, one after the other as long as the server takes none; false: no TLS. Throws ConfigError for files that cannot be read. */
export async function waysOf({ mode, files }: Tls): Promise<readonly (ConnectionOptions | false)[]> {
  if (mode === "disable") return [false];
  const [ca, cert, key] = await Promise.all(FILES.map(async (name) => await readPem(name, files[name])));
  const options = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  switch (mode) {
    case "allow":
      return [false, { ...options, rejectUnauthorized: false }];
    case "prefer":
      return [{ ...options, rejectUnauthorized: false }, false];
    case "require":
      // As libpq: with authorities it is verify-ca.
      return [ca ? { ...options, checkServerIdentity: () => undefined } : { ...options, rejectUnauthorized: false }];
    case "verify-ca":
      return [{ ...options, checkServerIdentity: () => undefined }];
    case "verify-full":
      return [options];
    default:
      throw new Error(`unreachable: ${mode satisfies never}`);
  }
}

async function readPem(name: string, file: string | null): Promise<string | null> {
  if (file === null) return null;
  try {
    const bytes = await readFile(file);
    if (name !== "sslkey") return bytes.toString();
    // The JDBC driver's keys are PKCS #8 in DER.
    const isPem = bytes.includes("-----BEGIN ");
    const key = createPrivateKey(isPem ? bytes : { key: bytes, format: "der", type: "pkcs8" });
    return key.export({ format: "pem", type: "pkcs8" }).toString();
  } catch (cause) {
    throw new ConfigError(`${name}=${file}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Whether the server said that it has no TLS. */
export const hasNoTls = (error: unknown): boolean =>
  error instanceof Error && /server does not support SSL/.test(error.message);

/** Whether the server does not let this user in this way. */
export const isRefusal = (error: unknown): boolean => sqlState(error) === "28000";

/** Whether TLS was begun and came to nothing. Source: Node, errors of `tls`, among them OpenSSL's. */
export const hasFailedTls = (error: unknown): boolean =>
  error instanceof Error &&
  (("code" in error && /^(ERR_(SSL|TLS)_|EPROTO$)/.test(String(error.code))) ||
    /before secure TLS connection was established/.test(error.message));

/**
 * Whether a server that was asked in one way may take another. Source: PostgreSQL, "SSL Mode Descriptions" (prefer: "first try an SSL
 * connection; if that fails, try a non-SSL connection").
 */
export const wantsOtherWay = (error: unknown): boolean => hasNoTls(error) || hasFailedTls(error) || isRefusal(error);

/** An error of TLS with what was asked for; others as they are. Source of the codes: Node, errors of `tls` and X509 certificates. */
export function explainTls(error: unknown, { mode }: Tls): unknown {
  if (hasNoTls(error)) return new ConfigError(`sslmode=${mode}, but PostgreSQL offers no TLS`, { cause: error });
  if (!(error instanceof Error) || !("code" in error)) return error;
  if (
    !/^(EPROTO$|ERR_(SSL|TLS|OSSL)_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|INVALID_CA|HOSTNAME_)/.test(
      String(error.code),
    )
  )
    return error;
  return new ConfigError(`TLS with sslmode=${mode} failed: ${reasonOf(error)}`, { cause: error });
}

/** OpenSSL's errors are written `write EPROTO 40E…:error:0A000410:SSL routines:ssl3_read_bytes:ssl/tls alert handshake failure:…`. */
const reasonOf = ({ message }: Error): string => /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? message;
