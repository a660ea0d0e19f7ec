import type { StringMap } from "@headrace/contract";
import type { Material, TlsSettings } from "./settings.ts";

/** Key material from Java's `ssl.*`; what cannot be used is added to `problems`, by key, with what to do about it. */
export function readTls(properties: StringMap, problems: string[]): TlsSettings {
  const keyPassword = properties["ssl.key.password"] ?? null;
  const algorithm = properties["ssl.endpoint.identification.algorithm"] ?? "https";
  const none = { certificate: null, key: null, keyPassword: null, pkcs12: null, pkcs12Password: null };
  return {
    ca: readTruststore(properties, problems),
    ...none,
    ...readKeystore(properties, keyPassword, problems),
    verifyHostname: algorithm.trim() !== "",
  };
}

function readTruststore(properties: StringMap, problems: string[]): Material | null {
  const certificates = properties["ssl.truststore.certificates"];
  if (certificates !== undefined) {
    const text = normalizePem(certificates);
    if (text === "") problems.push("ssl.truststore.certificates has no PEM certificate in it");
    return { kind: "text", text };
  }
  const path = properties["ssl.truststore.location"];
  if (path === undefined) return null;
  const type = storeType(properties["ssl.truststore.type"], path);
  if (type === "PEM") return { kind: "file", path };
  problems.push(
    `ssl.truststore.type must be PEM here, ${type} cannot be read. Convert it with ` +
      `'keytool -exportcert -rfc -keystore ${path} -alias <alias> -file ca.pem', once per alias, and set ` +
      "ssl.truststore.type=PEM and ssl.truststore.location to the PEM file",
  );
  return null;
}

function readKeystore(properties: StringMap, keyPassword: string | null, problems: string[]): Partial<TlsSettings> {
  const chain = properties["ssl.keystore.certificate.chain"];
  const key = properties["ssl.keystore.key"];
  if (chain !== undefined && key !== undefined) {
    return {
      certificate: { kind: "text", text: normalizePem(chain) },
      key: { kind: "text", text: normalizePem(key) },
      keyPassword,
    };
  }
  if (chain !== undefined || key !== undefined) {
    const missing = chain === undefined ? "ssl.keystore.certificate.chain" : "ssl.keystore.key";
    problems.push(`${missing} must be given too: certificate chain and key belong together`);
    return {};
  }
  const path = properties["ssl.keystore.location"];
  if (path === undefined) return {};
  const file: Material = { kind: "file", path };
  const type = storeType(properties["ssl.keystore.type"], path);
  switch (type) {
    case "PEM":
      return { certificate: file, key: file, keyPassword };
    case "PKCS12":
      return { pkcs12: file, pkcs12Password: properties["ssl.keystore.password"] ?? null };
    default:
      problems.push(
        `ssl.keystore.type must be PEM or PKCS12 here, ${type} cannot be read. Convert it with ` +
          `'keytool -importkeystore -srckeystore ${path} -destkeystore keystore.p12 -deststoretype PKCS12' and set ` +
          "ssl.keystore.type=PKCS12 and ssl.keystore.location to the new file",
      );
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
