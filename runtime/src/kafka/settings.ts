/** How to reach a Kafka cluster through kafkajs; made from Java's client properties by `client-config.ts`. */
export interface KafkaClientSettings {
  /** `host:port` each. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls: TlsSettings | null;
  readonly sasl: SaslSettings | null;
  readonly connectionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** First pause before a retry; doubles up to the maximum. */
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
}

/** Key material, given in place or as a file that is read at each connect, so that a renewed one is taken up. */
export type Material =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "file"; readonly path: string };

export interface TlsSettings {
  /** PEM; null: the well-known authorities. */
  readonly ca: Material | null;
  /** PEM chain and PEM key of the client; both or neither. */
  readonly certificate: Material | null;
  readonly key: Material | null;
  readonly keyPassword: string | null;
  /** PKCS #12 file with certificate and key, instead of the two above. */
  readonly pkcs12: Material | null;
  readonly pkcs12Password: string | null;
  /** false: the server's name is not compared with its certificate. */
  readonly verifyHostname: boolean;
}

export interface SaslSettings {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}
