import { createSecureContext } from "node:tls";
import { ConnectError } from "./errors.ts";
import { isCertificateRefused, isTlsError } from "./kafka/access-error.ts";
import type { Security } from "./kafka/client-security.ts";
import { tlsOptions } from "./kafka/connection.ts";
import { isConnectionError, isSaslError, kafkaErrorType } from "./kafka/errors.ts";

/** Why OpenSSL cannot use key material that Java may be able to; null if it can. */
export function unusableMaterial({ tls }: Pick<Security, "tls">): string | null {
  if (tls === null) return null;
  try {
    createSecureContext(tlsOptions(tls));
    return null;
  } catch (error) {
    return `key material (ssl.*): ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Of addresses that do not exist or do not answer. */
const AWAY: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
]);
/** Out of time. */
const LATE: ReadonlySet<string> = new Set(["TimeoutError", "AbortError"]);
/** Our client is too old or too new for the broker; Java's need not be. */
const OURS: ReadonlySet<string> = new Set(["UNSUPPORTED_VERSION"]);

/**
 * Whether Java's client would have failed just so: Kafka has said no, one of the topics is not as it must be, or nobody answers. Trust is told
 * apart: without authorities that are named, Java asks those of its own image.
 */
export function isKafkasAnswer(error: unknown, security: Pick<Security, "tls" | "sasl">): boolean {
  const causes = causesOf(error);
  if (causes.some(isTlsError)) return namesTrust(security) || causes.some(isCertificateRefused);
  return causes.some(isAnswer);
}

function isAnswer(error: Error): boolean {
  const type = kafkaErrorType(error);
  if (type !== null) return !OURS.has(type);
  if (isSaslError(error) || isConnectionError(error) || LATE.has(error.name)) return true;
  if (error instanceof ConnectError && (error.code === "config-invalid" || error.code === "timeout")) return true;
  return "code" in error && typeof error.code === "string" && AWAY.has(error.code);
}

/** Whether whoever is spoken to over TLS is checked against authorities that the properties name. */
function namesTrust({ tls, sasl }: Pick<Security, "tls" | "sasl">): boolean {
  const source = sasl?.mechanism === "oauthbearer" ? sasl.oauth.source : null;
  const asksToken = source?.kind === "client-credentials" && source.url.startsWith("https:");
  return (tls === null || tls.ca !== null) && (!asksToken || (source.tls?.ca ?? null) !== null);
}

function causesOf(error: unknown): readonly Error[] {
  const causes: Error[] = [];
  for (let at = error; at instanceof Error && !causes.includes(at); at = at.cause) causes.push(at);
  return causes;
}
