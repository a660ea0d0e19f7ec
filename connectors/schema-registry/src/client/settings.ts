import { config } from "@headrace/sdk";
import { z } from "zod";
import { saslUserInfo } from "./sasl-user-info.ts";

const secret = (text: string) => config.password().optional().describe(text);
const low = { importance: "LOW" } as const;

/** Where the registry is and how it is talked to, in the names of Confluent's converters. */
export const CONNECTION_KEYS = config.group("Registry", {
  "schema.registry.url": config
    .list()
    .refine((urls) => urls.length > 0, "Missing required configuration")
    .refine((urls) => urls.every((url) => /^https?:$/.test(URL.parse(url)?.protocol ?? "")), "Not an http or https URL")
    .describe("URLs of the registry, separated by commas; the next one is tried when one cannot be reached.")
    .meta({ importance: "HIGH" }),
  "http.connect.timeout.ms": config.int({ min: 1 }).default(60_000).describe("Time for a connection, ms.").meta(low),
  "http.read.timeout.ms": config.int({ min: 1 }).default(60_000).describe("Time for an answer, ms.").meta(low),
  "max.retries": config
    .int({ min: 0 })
    .default(3)
    .describe(
      "Tries after the first when no URL can be reached or all answer 408, 429 or 5xx; then errors.retry.timeout applies.",
    )
    .meta(low),
  "retries.wait.ms": config
    .int({ min: 0 })
    .default(1_000)
    .describe("First pause before another try, doubled each time, ms.")
    .meta(low),
  "retries.max.wait.ms": config.int({ min: 0 }).default(20_000).describe("Longest such pause, ms.").meta(low),
});

/** How requests are authorised. */
export const AUTHORIZATION_KEYS = config.group("Authorization", {
  "basic.auth.credentials.source": config
    .anyCaseOf("URL", "USER_INFO", "SASL_INHERIT")
    .default("URL")
    .describe("Where user and password are: in the URL, in basic.auth.user.info, or in sasl.jaas.config."),
  "basic.auth.user.info": secret("user:password, for USER_INFO."),
  "schema.registry.basic.auth.user.info": secret("The same under its other name."),
  "sasl.jaas.config": secret("Login module with username and password, for SASL_INHERIT."),
  "bearer.auth.credentials.source": config
    .anyCaseOf("NONE", "STATIC_TOKEN", "OAUTHBEARER")
    .default("NONE")
    .describe("Bearer tokens: none, bearer.auth.token, or one from an OAuth 2 token endpoint (client credentials)."),
  "bearer.auth.token": secret("Token, for STATIC_TOKEN."),
  "bearer.auth.issuer.endpoint.url": config.httpUrl().optional().describe("Token endpoint, for OAUTHBEARER."),
  "bearer.auth.client.id": config.text().optional().describe("Client id, for OAUTHBEARER."),
  "bearer.auth.client.secret": secret("Client secret, for OAUTHBEARER."),
  "bearer.auth.scope": config.text().optional().describe("Scopes to ask for, separated by blanks, for OAUTHBEARER."),
  "bearer.auth.logical.cluster": config.text().optional().describe("Sent as target-sr-cluster.").meta(low),
  "bearer.auth.identity.pool.id": config.text().optional().describe("Sent as Confluent-Identity-Pool-Id.").meta(low),
});

/** TLS of the registry; PEM only, and PKCS #12 for the client's own key. */
export const TLS_KEYS = config.group("TLS", {
  "schema.registry.ssl.truststore.type": config
    .anyCaseOf("PEM")
    .default("PEM")
    .describe("Type of the trust store.")
    .meta(low),
  "schema.registry.ssl.truststore.location": config
    .text()
    .optional()
    .describe("PEM file with the authorities to trust; not given: Node's."),
  "schema.registry.ssl.truststore.certificates": secret("The same as text."),
  "schema.registry.ssl.keystore.type": config
    .anyCaseOf("PEM", "PKCS12")
    .default("PEM")
    .describe("Type of the key store.")
    .meta(low),
  "schema.registry.ssl.keystore.location": config
    .text()
    .optional()
    .describe("File with the client's key and certificates."),
  "schema.registry.ssl.keystore.password": secret("Its password, for PKCS12."),
  "schema.registry.ssl.keystore.certificate.chain": secret("The client's certificates, PEM text."),
  "schema.registry.ssl.keystore.key": secret("The client's key, PEM text."),
  "schema.registry.ssl.key.password": secret("Password of the client's key."),
  "schema.registry.ssl.endpoint.identification.algorithm": config
    .text()
    .default("https")
    .describe("https: the certificate has to have the host's name; empty: it need not.")
    .meta(low),
});

const STRATEGIES = "TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy, with or without their package.";

/** Which schema a record gets in the registry. */
export const REGISTRATION_KEYS = config.group("Registration", {
  "auto.register.schemas": config.boolean().default(true).describe("Register schemas that the registry does not have."),
  "use.latest.version": config
    .boolean()
    .default(false)
    .describe("Write with the subject's latest schema; needs auto.register.schemas=false."),
  "latest.cache.ttl.sec": config
    .int({ min: -1 })
    .default(-1)
    .describe("Time for which the latest schema is kept, s; -1: for ever.")
    .meta(low),
  "normalize.schemas": config.boolean().default(false).describe("Let the registry normalise schemas.").meta(low),
  "key.subject.name.strategy": config.text().default("TopicNameStrategy").describe(`Subject of keys: ${STRATEGIES}`),
  "value.subject.name.strategy": config
    .text()
    .default("TopicNameStrategy")
    .describe(`Subject of values: ${STRATEGIES}`),
  "schemas.cache.config": config
    .int({ min: 1 })
    .default(1000)
    .describe("Number of schemas to keep, each way.")
    .meta(low),
});

/** The keys that all converters with a registry have. */
export const REGISTRY_KEYS = {
  "converter.type": z
    .string()
    .optional()
    .describe("What the converter is used for: key or value; set by the worker.")
    .meta({ importance: "LOW" }),
  ...CONNECTION_KEYS,
  ...AUTHORIZATION_KEYS,
  ...TLS_KEYS,
  ...REGISTRATION_KEYS,
};

export type RegistrySettings = z.output<z.ZodObject<typeof REGISTRY_KEYS>>;

const STRATEGY = /^(?:[\w.]+\.)?(TopicNameStrategy|RecordNameStrategy|TopicRecordNameStrategy)$/;

/** Which of the strategies a configuration names; null if it is none of them. */
export function strategyOf(
  text: string,
): "TopicNameStrategy" | "RecordNameStrategy" | "TopicRecordNameStrategy" | null {
  switch (STRATEGY.exec(text)?.[1]) {
    case "TopicNameStrategy":
      return "TopicNameStrategy";
    case "RecordNameStrategy":
      return "RecordNameStrategy";
    case "TopicRecordNameStrategy":
      return "TopicRecordNameStrategy";
    default:
      return null;
  }
}

/** Adds what is wrong between the keys; for `superRefine`. */
export function checkRegistrySettings(settings: RegistrySettings, context: z.core.$RefinementCtx): void {
  const complain = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
  for (const key of ["key.subject.name.strategy", "value.subject.name.strategy"] as const) {
    if (strategyOf(settings[key]) === null) complain(key, `must be ${STRATEGIES}`);
  }
  if (settings["use.latest.version"] && settings["auto.register.schemas"]) {
    complain("use.latest.version", "needs auto.register.schemas=false");
  }
  if (settings["basic.auth.credentials.source"] === "USER_INFO" && userInfoOf(settings) === null) {
    complain("basic.auth.user.info", "is needed for USER_INFO");
  }
  if (settings["basic.auth.credentials.source"] === "SASL_INHERIT" && userInfoOf(settings) === null) {
    complain("sasl.jaas.config", "with username and password is needed for SASL_INHERIT");
  }
  const needed = {
    NONE: [],
    STATIC_TOKEN: ["bearer.auth.token"],
    OAUTHBEARER: ["bearer.auth.issuer.endpoint.url", "bearer.auth.client.id", "bearer.auth.client.secret"],
  } as const;
  const source = settings["bearer.auth.credentials.source"];
  for (const key of needed[source]) {
    if (settings[key] === undefined) complain(key, `is needed for ${source}`);
  }
}

/** user:password for basic authorisation, if the configuration has them elsewhere than in the URL; otherwise null. */
export function userInfoOf(settings: RegistrySettings): string | null {
  const source = settings["basic.auth.credentials.source"];
  switch (source) {
    case "URL":
      return null;
    case "USER_INFO":
      return (settings["basic.auth.user.info"] ?? settings["schema.registry.basic.auth.user.info"])?.reveal() ?? null;
    case "SASL_INHERIT":
      return saslUserInfo(settings["sasl.jaas.config"]?.reveal() ?? "");
    default:
      throw new Error(`unreachable: ${source satisfies never}`);
  }
}
