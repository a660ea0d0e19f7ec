import { z } from "zod";
import { SecretKeyReference } from "./references.ts";

/** Who may use the workers' REST API. */
export const RestAccess = z.object({
  security: z
    .enum(["Closed", "Open"])
    .optional()
    .describe(
      "Closed, the default: TLS, and callers prove themselves. Open: plain HTTP for everybody who can reach the port, as Apache Kafka Connect has it.",
    ),
  tokens: z
    .array(
      z.object({
        name: z.string().min(1).max(63).describe("Whose token it is; stands in the log of changes."),
        role: z.enum(["read", "admin"]).describe("read: look only. admin: everything."),
        secretKeyRef: SecretKeyReference.describe("Where the token is."),
      }),
    )
    .max(64)
    .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] })
    .optional()
    .describe("Bearer tokens that are let in beside the operator and the workers themselves."),
  people: z
    .enum(["ReadWrite", "ReadOnly", "None"])
    .optional()
    .describe(
      "What people may do at most through the operator's API with their Kubernetes tokens: the right to get this KafkaConnect lets them read, the right to update it lets them write. ReadWrite, the default; ReadOnly; None.",
    ),
  allowFrom: z
    .array(z.looseObject({}))
    .max(64)
    .optional()
    .describe(
      "Who else may open connections to the port, as peers of a NetworkPolicy: podSelector, namespaceSelector, ipBlock. Not given: nobody if the API is Closed, everybody if it is Open.",
    ),
});
export type RestAccess = z.infer<typeof RestAccess>;
