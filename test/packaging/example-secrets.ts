import { rootCertificates } from "node:tls";
import { z } from "zod";

const Reference = z.looseObject({
  secretName: z.string(),
  certificate: z.string().optional(),
  key: z.string().optional(),
  password: z.string().optional(),
});

/** The Secrets that the KafkaConnects among the objects read and that are not in Git, without a namespace; without them a cluster is not made. */
export function secretsOf(value: unknown): readonly object[] {
  if (typeof value !== "object" || value === null) return [];
  const { success, data } = Reference.safeParse(value);
  if (!success) return Object.values(value).flatMap(secretsOf);
  const { secretName, certificate, key, password } = data;
  const files = {
    ...(password !== undefined ? { [password]: "not so secret" } : { [certificate ?? "ca.crt"]: rootCertificates[0] }),
    ...(key !== undefined && { [key]: "not so secret" }),
  };
  return [{ apiVersion: "v1", kind: "Secret", metadata: { name: secretName }, stringData: files }];
}
