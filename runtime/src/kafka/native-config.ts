import { existsSync } from "node:fs";

/** Where systems keep the certificates they trust, in the order of librdkafka's own list (rdkafka_ssl.c). */
const TRUSTED_CERTIFICATES = [
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/certs/ca-bundle.crt",
  "/etc/pki/tls/certs/ca-bundle.trust.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/ssl/cert.pem",
];

/**
 * Names and values in turn, as the addon takes them. For OIDC tokens the trusted certificates are given as a file: left to itself,
 * librdkafka would set them on libcurl's TLS context, which belongs to another OpenSSL than the one linked into the addon.
 */
export function toConfigPairs(
  config: Readonly<Record<string, string>>,
  exists: (file: string) => boolean = existsSync,
): readonly string[] {
  const pairs = Object.entries(config).flat();
  const byHttp = config["sasl.oauthbearer.method"]?.toLowerCase() === "oidc";
  const location = config["https.ca.location"];
  const given = config["https.ca.pem"] !== undefined || (location !== undefined && location !== "probe");
  const file = byHttp && !given ? TRUSTED_CERTIFICATES.find((candidate) => exists(candidate)) : undefined;
  return file === undefined ? pairs : [...pairs, "https.ca.location", file];
}
