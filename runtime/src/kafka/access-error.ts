import { ConnectError } from "../errors.ts";
import { isSaslError } from "./errors.ts";
import type { KafkaClientSettings } from "./settings.ts";

/** OpenSSL's and Node's codes for certificates and handshakes that are not acceptable. */
const TLS_CODE = /^(ERR_SSL_|ERR_TLS_|ERR_OSSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH$|EPROTO$)/;

/** Whether it is about certificates or the handshake. */
export function isTlsError(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && TLS_CODE.test(error.code);
}

/** The broker itself has turned this client's certificate down. */
export function isCertificateRefused(error: unknown): boolean {
  return (
    isTlsError(error) &&
    error instanceof Error &&
    "code" in error &&
    /ALERT.*(CERTIFICATE|UNKNOWN_CA)/.test(String(error.code))
  );
}

/**
 * Failures to connect for want of the right credentials or certificates, as ConnectError `kafka-access` that says what, where and what to
 * do; everything else as it is.
 */
export function toAccessError(
  error: unknown,
  { host, port }: { readonly host: string; readonly port: number },
  settings: Pick<KafkaClientSettings, "sasl" | "tls">,
): unknown {
  if (!(error instanceof Error) || error instanceof ConnectError) return error;
  const broker = `Kafka broker ${host}:${port}`;
  if (isSaslError(error)) {
    const mechanism = settings.sasl?.mechanism.toUpperCase() ?? "none";
    const advice = "check sasl.mechanism and sasl.jaas.config, and that the user exists in Kafka";
    return access(`${broker} refused the credentials (SASL ${mechanism}): ${error.message}; ${advice}`, error);
  }
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (!TLS_CODE.test(code)) return error;
  return access(`No secure connection to ${broker} (${code}): ${error.message}; ${tlsAdvice(code)}`, error);
}

function tlsAdvice(code: string): string {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID" || code === "HOSTNAME_MISMATCH") {
    return (
      "reach the broker by a name that its certificate has (bootstrap.servers, advertised.listeners), " +
      'or set ssl.endpoint.identification.algorithm="" to compare no names'
    );
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") return "renew the broker's certificate";
  if (/^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT_)/.test(code)) {
    return "give the broker's certificate authority in ssl.truststore.location or ssl.truststore.certificates";
  }
  if (/CERTIFICATE|UNKNOWN_CA/.test(code)) {
    return "the broker does not accept this client's certificate: check ssl.keystore.*";
  }
  return "check that security.protocol is right for this port of the broker";
}

function access(message: string, cause: Error): ConnectError {
  return new ConnectError("kafka-access", message, { cause });
}
