import { join } from "node:path";
import { kafkaTool, type LocalKafka, startKafka } from "../kafka.ts";
import { freePorts } from "../process.ts";
import { type Certificates, createCertificates } from "./certificates.ts";

/** A broker with a listener per way to get in; each is `localhost:port`, the one name that the broker's certificate has. */
export interface SecuredKafka {
  readonly kafka: LocalKafka;
  readonly certificates: Certificates;
  /** TLS; asks for a client's certificate. */
  readonly ssl: string;
  /** TLS with PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER (unsecured tokens). */
  readonly saslSsl: string;
  /** The same mechanisms without TLS. */
  readonly saslPlaintext: string;
  /** Gives a user of a SCRAM mechanism a password. */
  setScramPassword(mechanism: "SCRAM-SHA-256" | "SCRAM-SHA-512", user: string, password: string): Promise<void>;
}

export interface SecuredKafkaOptions {
  readonly dir: string;
  /** Users of PLAIN with their passwords. */
  readonly plainUsers: Readonly<Record<string, string>>;
  /** Clients have to authenticate again after this time. */
  readonly maxReauthMs?: number;
}

const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
const SECURITY = "org.apache.kafka.common.security";

/** Starts it, with certificates of its own. */
export async function startSecuredKafka(options: SecuredKafkaOptions): Promise<SecuredKafka> {
  const certificates = await createCertificates(join(options.dir, "certificates"));
  const [port = 0, controllerPort = 0, ssl = 0, saslSsl = 0, saslPlaintext = 0] = await freePorts(5);
  const own = { SSL: ssl, SASL_SSL: saslSsl, SASL_PLAINTEXT: saslPlaintext };
  const at = (host: string) => Object.entries(own).map(([name, each]) => `${name}://${host}:${each}`);
  const users = Object.entries(options.plainUsers).map(([user, password]) => `user_${user}="${password}"`);
  const logins = {
    plain: `${SECURITY}.plain.PlainLoginModule required ${users.join(" ")};`,
    "scram-sha-256": `${SECURITY}.scram.ScramLoginModule required;`,
    "scram-sha-512": `${SECURITY}.scram.ScramLoginModule required;`,
    oauthbearer: `${SECURITY}.oauthbearer.OAuthBearerLoginModule required;`,
  };
  const jaas = ["sasl_ssl", "sasl_plaintext"].flatMap((listener) =>
    Object.entries(logins).flatMap(([mechanism, login]) => {
      const prefix = `listener.name.${listener}.${mechanism}.`;
      const reauth =
        options.maxReauthMs === undefined ? [] : [[`${prefix}connections.max.reauth.ms`, String(options.maxReauthMs)]];
      return [[`${prefix}sasl.jaas.config`, login], ...reauth];
    }),
  );
  const kafka = await startKafka({
    dir: join(options.dir, "broker"),
    port,
    controllerPort,
    heap: "512m",
    properties: {
      listeners: [`PLAINTEXT://127.0.0.1:${port}`, `CONTROLLER://127.0.0.1:${controllerPort}`, ...at("127.0.0.1")].join(
        ",",
      ),
      "advertised.listeners": [`PLAINTEXT://127.0.0.1:${port}`, ...at("localhost")].join(","),
      "listener.security.protocol.map":
        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
      "sasl.enabled.mechanisms": MECHANISMS.join(","),
      ...Object.fromEntries(jaas),
      "ssl.keystore.type": "PEM",
      "ssl.keystore.location": certificates.broker,
      "ssl.truststore.type": "PEM",
      "ssl.truststore.location": certificates.ca,
      "listener.name.ssl.ssl.client.auth": "required",
    },
  });
  return {
    kafka,
    certificates,
    ssl: `localhost:${ssl}`,
    saslSsl: `localhost:${saslSsl}`,
    saslPlaintext: `localhost:${saslPlaintext}`,
    async setScramPassword(mechanism, user, password) {
      const credentials = `${mechanism}=[password=${password}]`;
      const target = ["--entity-type", "users", "--entity-name", user];
      const args = ["--bootstrap-server", kafka.bootstrap, "--alter", "--add-config", credentials, ...target];
      await kafkaTool("kafka.admin.ConfigCommand", args);
    },
  };
}
