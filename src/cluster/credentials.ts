import { createHash } from "node:crypto";
import type { KafkaConnectSpec } from "@headrace/contract";
import { kafkaAccess } from "./kafka-access.ts";

/** The data of Secrets by name, base64 as the API has it; null: there is no such Secret. Nothing is said of one that is not in it. */
export type SecretData = ReadonlyMap<string, Readonly<Record<string, string>> | null>;

/** What the Secrets that a KafkaConnect names hold. */
export interface Credentials {
  /** All trusted authorities as PEM, one after the other; null if none are named. */
  readonly trusted: string | null;
  /** Changes with any content that is used; "" if nothing is. Workers have to start anew then. */
  readonly hash: string;
  /** What is missing or cannot be used, each as a sentence. Never a value. */
  readonly problems: readonly string[];
}

export const NO_CREDENTIALS: Credentials = { trusted: null, hash: "", problems: [] };

/** Names of the Secrets that the workers' access to Kafka is made of. */
export function namedSecrets(spec: Pick<KafkaConnectSpec, "tls" | "authentication">): readonly string[] {
  const trusted = (spec.tls?.trustedCertificates ?? []).map(({ secretName }) => secretName);
  const { user } = kafkaAccess(spec);
  return [...new Set([...trusted, ...(user === null ? [] : [user.secretName])])];
}

/** Reads them. */
export function readCredentials(
  spec: Pick<KafkaConnectSpec, "tls" | "authentication">,
  secrets: SecretData,
): Credentials {
  const problems: string[] = [];
  const hash = createHash("sha256");
  const trusted: string[] = [];
  for (const { secretName, certificate, pattern } of spec.tls?.trustedCertificates ?? []) {
    for (const value of matching({ secretName, certificate, pattern }, secrets, problems)) {
      trusted.push(value.trim());
      hash.update(`${value.trim()}\0`);
    }
  }
  const { user } = kafkaAccess(spec);
  for (const key of user?.keys ?? []) {
    const secretName = user?.secretName ?? "";
    for (const value of matching({ secretName, certificate: key }, secrets, problems)) {
      hash.update(`${key}\0${value}\0`);
      const unusable = whyNoPassword(spec, value);
      if (unusable !== null) problems.push(`Secret ${secretName}: the password in ${key} ${unusable}`);
    }
  }
  const used = trusted.length > 0 || user !== null;
  return {
    trusted: trusted.length === 0 ? null : `${trusted.join("\n")}\n`,
    hash: used ? hash.digest("hex").slice(0, 10) : "",
    problems,
  };
}

interface Wanted {
  readonly secretName: string;
  readonly certificate?: string | undefined;
  readonly pattern?: string | undefined;
}

/** The values of a Secret that are meant; by a pattern in the order of their keys. */
function matching(wanted: Wanted, secrets: SecretData, problems: string[]): readonly string[] {
  const { secretName, certificate, pattern } = wanted;
  const data = secrets.get(secretName);
  if (data === undefined) return [];
  if (data === null) {
    problems.push(`Secret ${secretName} does not exist`);
    return [];
  }
  const keys = Object.keys(data).sort();
  const chosen = pattern === undefined ? keys.filter((key) => key === certificate) : keys.filter(globOf(pattern));
  if (chosen.length === 0) {
    const what = pattern === undefined ? `no key ${certificate}` : `no key that matches ${pattern}`;
    problems.push(`Secret ${secretName} has ${what}`);
  }
  return chosen.map((key) => Buffer.from(data[key] ?? "", "base64").toString("utf8"));
}

/** Shell patterns, of which * and ? are known. */
function globOf(pattern: string): (key: string) => boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const expression = new RegExp(`^${escaped}$`);
  return (key) => expression.test(key);
}

/** Passwords go into a JAAS configuration, which is text in quotes. */
function whyNoPassword({ authentication }: Pick<KafkaConnectSpec, "authentication">, value: string): string | null {
  if (authentication?.passwordSecret === undefined) return null;
  if (value === "") return "is empty";
  if (/[\r\n]$/.test(value))
    return "ends with a line break; write the Secret without one (printf '%s' instead of echo)";
  if (/["\\]/.test(value)) return 'has a " or a \\ in it, which a JAAS configuration cannot hold';
  return null;
}
