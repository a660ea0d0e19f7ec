import { z } from "zod";
import { exactlyOneOf, rules } from "./rules.ts";

/** Certificates of authorities in a Secret. */
const CertificateSource = z
  .object({
    secretName: z.string().min(1).describe("Name of a Secret in the same namespace."),
    certificate: z.string().min(1).optional().describe("Key of the Secret that holds the certificate, as PEM."),
    pattern: z
      .string()
      .min(1)
      .optional()
      .describe("Pattern of the Secret's keys that hold certificates, for instance *.crt; * and ? are wildcards."),
  })
  .meta(rules(exactlyOneOf("certificate", "pattern")));

/** TLS towards the Kafka brokers. */
export const Tls = z.object({
  trustedCertificates: z
    .array(CertificateSource)
    .max(64)
    .optional()
    .describe("Authorities that are trusted. Those of the worker's image, the public ones, if not given."),
});
export type Tls = z.infer<typeof Tls>;
