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

export type SaslSettings =
  | {
      readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
      readonly username: string;
      readonly password: string;
    }
  | { readonly mechanism: "oauthbearer"; readonly oauth: OAuthSettings };

/** Where OAUTHBEARER tokens come from and when they are renewed. */
export interface OAuthSettings {
  readonly source: OAuthSource;
  /** SASL extensions that go with each token (KIP-342). */
  readonly extensions: Readonly<Record<string, string>>;
  /** The claim that names the principal. */
  readonly principalClaim: string;
  /** Java's `sasl.login.refresh.*` and `sasl.login.retry.*`. */
  readonly refresh: {
    readonly windowFactor: number;
    readonly windowJitter: number;
    readonly minPeriodSeconds: number;
    readonly bufferSeconds: number;
    readonly retryBackoffMs: number;
    readonly retryBackoffMaxMs: number;
  };
}

export type OAuthSource =
  | {
      /** Grant of RFC 6749 §4.4. */
      readonly kind: "client-credentials";
      readonly url: string;
      readonly clientId: string;
      readonly clientSecret: string;
      readonly scope: string | null;
      /** Client id and secret are form-encoded before they become a header (RFC 6749 §2.3.1). */
      readonly urlEncode: boolean;
      /** null: the well-known authorities. */
      readonly tls: TlsSettings | null;
      readonly timeoutMs: number;
    }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "in-place"; readonly token: string }
  | {
      /** Without a signature; for tests only. */
      readonly kind: "unsecured";
      readonly claims: Readonly<Record<string, string | number | readonly string[]>>;
      readonly lifetimeSeconds: number;
    };
