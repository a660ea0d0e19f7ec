import type { Authentication, KafkaConnectSpec } from "@headrace/contract";
import { toStringMap } from "@headrace/contract";

/** Worker properties by key. */
export type Properties = Readonly<Record<string, string>>;

/** Where the workers find what belongs to the operator; nothing of the users is mounted below it. */
export const OWN_DIR = "/opt/headrace";
export const TRUST_DIR = `${OWN_DIR}/trust`;
export const USER_DIR = `${OWN_DIR}/user`;
/** File in `TRUST_DIR`: all trusted authorities, as PEM. */
export const TRUST_FILE = "ca.crt";

/** Config provider that reads the files of `USER_DIR`; users can neither replace nor use it by accident. */
export const OWN_PROVIDER = "headrace";

/** What the workers' Kafka clients need to get in. */
export interface KafkaAccess {
  readonly properties: Properties;
  /** Keys of a Secret that are mounted in `USER_DIR`; null if there are none. */
  readonly user: { readonly secretName: string; readonly keys: readonly string[] } | null;
  /** Keys of `authentication.config` that may not be set there. */
  readonly notApplied: readonly string[];
  /** What cannot be used, each as a sentence. */
  readonly problems: readonly string[];
}

const LOGIN_MODULES = {
  plain: "org.apache.kafka.common.security.plain.PlainLoginModule",
  "scram-sha-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
  "scram-sha-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
} as const;

/**
 * Renders `spec.tls` and `spec.authentication` as worker properties. Secrets are not in them: certificates and passwords are
 * placeholders for mounted files, or the files themselves.
 */
export function kafkaAccess({ tls, authentication }: Pick<KafkaConnectSpec, "tls" | "authentication">): KafkaAccess {
  const login = authentication === undefined ? NO_LOGIN : readLogin(authentication);
  const usesTls = tls !== undefined || authentication?.type === "tls";
  const trusted = (tls?.trustedCertificates ?? []).length > 0;
  const protocol = login.usesSasl ? (usesTls ? "SASL_SSL" : "SASL_PLAINTEXT") : usesTls ? "SSL" : null;
  return {
    ...login,
    properties: {
      ...(protocol === null ? {} : { "security.protocol": protocol }),
      ...(trusted ? { "ssl.truststore.type": "PEM", "ssl.truststore.location": `${TRUST_DIR}/${TRUST_FILE}` } : {}),
      ...login.properties,
    },
  };
}

type Login = KafkaAccess & { readonly usesSasl: boolean };

const NO_LOGIN: Login = { properties: {}, user: null, notApplied: [], problems: [], usesSasl: false };

function readLogin(authentication: Authentication): Login {
  switch (authentication.type) {
    case "tls":
      return readCertificate(authentication);
    case "plain":
    case "scram-sha-256":
    case "scram-sha-512":
      return readPassword(authentication, authentication.type);
    case "custom":
      return readCustom(authentication);
    default:
      throw new Error(`unreachable: ${authentication.type satisfies never}`);
  }
}

function readCertificate({ certificateAndKey }: Authentication): Login {
  if (certificateAndKey === undefined) return incomplete("certificateAndKey");
  const { secretName, certificate, key } = certificateAndKey;
  const properties = {
    "ssl.keystore.type": "PEM",
    "ssl.keystore.certificate.chain": ownFile(certificate),
    "ssl.keystore.key": ownFile(key),
  };
  return { ...NO_LOGIN, properties, user: { secretName, keys: [certificate, key] } };
}

function readPassword({ username, passwordSecret }: Authentication, type: keyof typeof LOGIN_MODULES): Login {
  if (username === undefined) return incomplete("username");
  if (passwordSecret === undefined) return incomplete("passwordSecret");
  const { secretName, password } = passwordSecret;
  const name = username.replace(/["\\]/g, "\\$&");
  const properties = {
    "sasl.mechanism": type.toUpperCase(),
    "sasl.jaas.config": `${LOGIN_MODULES[type]} required username="${name}" password="${ownFile(password)}";`,
  };
  return { ...NO_LOGIN, properties, user: { secretName, keys: [password] }, usesSasl: true };
}

/** Settings of the users' own, as far as they are about getting in. */
function readCustom({ sasl = false, config = {} }: Authentication): Login {
  const { values, problems } = toStringMap(config);
  const isAllowed = (key: string) => key.startsWith("sasl.") || key.startsWith("ssl.keystore.");
  const entries = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...NO_LOGIN,
    properties: Object.fromEntries(entries.filter(([key]) => isAllowed(key))),
    notApplied: entries.map(([key]) => key).filter((key) => !isAllowed(key)),
    problems: problems.map(({ key, message }) => `spec.authentication.config: ${key} ${message}`),
    usesSasl: sasl,
  };
}

function incomplete(field: string): Login {
  return { ...NO_LOGIN, problems: [`spec.authentication.${field} is missing`] };
}

function ownFile(key: string): string {
  return `\${${OWN_PROVIDER}:${USER_DIR}:${key}}`;
}
