import { z } from "zod";

/** One key of a ConfigMap in the resource's own namespace. */
export const ConfigMapKeyReference = z.object({
  name: z.string().min(1).describe("Name of a ConfigMap in the same namespace."),
  key: z.string().min(1).describe("Key in the ConfigMap."),
  optional: z.boolean().optional().describe("Whether it may be missing."),
});

/** One key of a Secret in the resource's own namespace. */
export const SecretKeyReference = z.object({
  name: z.string().min(1).describe("Name of a Secret in the same namespace."),
  key: z.string().min(1).describe("Key in the Secret."),
});

/** An object in the same namespace. */
export const NameReference = z.object({ name: z.string().min(1).describe("Name of an object in the same namespace.") });

/** Where a value is: in a ConfigMap. */
export const ConfigMapValueFrom = z.object({
  configMapKeyRef: ConfigMapKeyReference.describe("A key of a ConfigMap."),
});

/** Objects of a kind, chosen by their labels, as everywhere in Kubernetes. */
export const LabelSelector = z.object({
  matchLabels: z.record(z.string(), z.string()).optional().describe("Labels that must have these values."),
  matchExpressions: z
    .array(
      z.object({
        key: z.string().describe("Name of the label."),
        operator: z.enum(["In", "NotIn", "Exists", "DoesNotExist"]).describe("How it is compared."),
        values: z.array(z.string()).optional().describe("Values to compare with, for In and NotIn."),
      }),
    )
    .optional()
    .describe("Requirements that must all hold."),
});
export type LabelSelector = z.infer<typeof LabelSelector>;
