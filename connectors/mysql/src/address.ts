import { isIP } from "node:net";
import { ConfigError } from "@headrace/sdk";
import type { ConnectionSettings } from "@headrace/sql";
import { connectionUrl } from "@headrace/sql";

/** Ways of TLS: none; where the server has it; without a look at the certificate; its chain; its chain and the host's name. */
export type TlsMode = "disabled" | "preferred" | "required" | "verify-ca" | "verify-identity";

/** Where the database is, of its URL. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** null: none is chosen. */
  readonly database: string | null;
  readonly tls: TlsMode;
  /** Files in PEM; null: not given. */
  readonly tlsFiles: { readonly ca: string | null; readonly cert: string | null; readonly key: string | null };
}

const PORT = 3306;

/** Names of the modes in MySQL's and MariaDB's connectors for Java. */
const MODES: Readonly<Record<string, TlsMode>> = {
  disabled: "disabled",
  disable: "disabled",
  false: "disabled",
  preferred: "preferred",
  required: "required",
  trust: "required",
  "verify-ca": "verify-ca",
  "verify-identity": "verify-identity",
  "verify-full": "verify-identity",
};

/** What is wrong with a URL, or null. */
export function urlProblem(url: string): string | null {
  if (!/^(jdbc:)?(mysql|mariadb):\/\/./.test(url.trim()))
    return "URL must start with mysql:// or mariadb://, also with jdbc: before it";
  try {
    toAddress({ "connection.url": url });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Reads a URL and what stands beside it. Parameters that have no meaning here are passed over. Throws ConfigError for what is no such URL. */
export function toAddress(settings: Pick<ConnectionSettings, "connection.url"> & Partial<ConnectionSettings>): Address {
  const url = connectionUrl(settings);
  const parameters = url.searchParams;
  const text = (what: string, part: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      // Without what it is: it may be a password.
      throw new ConfigError(`connection.url: the ${what} is badly escaped; a % is written %25`);
    }
  };
  const database = text("database", url.pathname.replace(/^\//, ""));
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (host === "") throw new ConfigError("connection.url has no host");
  const tls = tlsMode(parameters);
  const tlsFiles = {
    ca: parameters.get("sslCa") ?? parameters.get("serverSslCert"),
    cert: parameters.get("sslCert"),
    key: parameters.get("sslKey"),
  };
  // Who gives certificates does not expect a password in the clear.
  if (!parameters.has("sslMode") && tls === "disabled" && Object.values(tlsFiles).some((file) => file !== null))
    throw new ConfigError(
      "connection.url has certificates, and no sslMode that uses them: give VERIFY_CA or VERIFY_IDENTITY",
    );
  // The driver would compare the certificate with "localhost".
  if (tls === "verify-identity" && isIP(host) !== 0)
    throw new ConfigError("connection.url: to verify the server's identity its name is needed, not its address");
  return {
    host,
    port: url.port === "" ? PORT : Number(url.port),
    user: url.username === "" ? (parameters.get("user") ?? "") : text("user", url.username),
    password: url.password === "" ? (parameters.get("password") ?? "") : text("password", url.password),
    database: database === "" ? null : database,
    tls,
    tlsFiles,
  };
}

function tlsMode(parameters: URLSearchParams): TlsMode {
  const given = parameters.get("sslMode");
  if (given === null) {
    const isTrue = (name: string) => parameters.get(name)?.toLowerCase() === "true";
    if (!isTrue("useSSL")) return "disabled";
    return isTrue("verifyServerCertificate") ? "verify-ca" : "required";
  }
  const mode = MODES[given.toLowerCase().replaceAll("_", "-")];
  if (mode === undefined)
    throw new ConfigError(
      `connection.url: sslMode=${given} is none of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY`,
    );
  return mode;
}
