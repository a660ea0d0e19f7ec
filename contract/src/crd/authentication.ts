import { z } from "zod";
import { ConfigValues } from "./config-values.ts";
import { onlyFor, requiredFor, rules } from "./rules.ts";

const SCRAM_AND_PLAIN = ["scram-sha-256", "scram-sha-512", "plain"] as const;

/** How the workers prove themselves to the Kafka brokers. */
export const Authentication = z
  .object({
    type: z
      .enum(["tls", ...SCRAM_AND_PLAIN, "custom"])
      .describe("tls: a client certificate. custom: sasl.* settings, for instance OAUTHBEARER."),
    certificateAndKey: z
      .object({
        secretName: z.string().min(1).describe("Name of a Secret in the same namespace."),
        certificate: z.string().min(1).describe("Key of the Secret that holds the certificate chain, as PEM."),
        key: z.string().min(1).describe("Key of the Secret that holds the private key, as PEM, not encrypted."),
      })
      .optional()
      .describe("Client certificate, for type tls."),
    username: z.string().min(1).optional().describe("Name of the user, for SCRAM and PLAIN."),
    passwordSecret: z
      .object({
        secretName: z.string().min(1).describe("Name of a Secret in the same namespace."),
        password: z.string().min(1).describe("Key of the Secret that holds the password."),
      })
      .optional()
      .describe("Password of the user, for SCRAM and PLAIN."),
    sasl: z.boolean().optional().describe("Whether SASL is used, for type custom. false: TLS alone."),
    config: ConfigValues.optional().describe(
      `Client settings, for type custom: sasl.* and ssl.keystore.* only. Secrets stand in it as placeholders such as \${directory:/mnt/oauth:secret}.`,
    ),
  })
  .meta(
    rules(
      requiredFor(["tls"], "certificateAndKey"),
      onlyFor(["tls"], "certificateAndKey"),
      ...["username", "passwordSecret"].flatMap((field) => [
        requiredFor(SCRAM_AND_PLAIN, field),
        onlyFor(SCRAM_AND_PLAIN, field),
      ]),
      onlyFor(["custom"], "sasl"),
    ),
  );
export type Authentication = z.infer<typeof Authentication>;
