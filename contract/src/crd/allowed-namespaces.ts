import { z } from "zod";
import { LabelSelector } from "./references.ts";
import { rules } from "./rules.ts";

/** Namespaces whose KafkaConnectors may use a cluster, in the words of the Gateway API. */
export const AllowedNamespaces = z
  .object({
    from: z
      .enum(["Same", "All", "Selector"])
      .describe("Same: the cluster's own only. All: every namespace. Selector: those that the selector chooses."),
    selector: LabelSelector.optional().describe(
      "Labels of the namespaces. Every namespace has its name as kubernetes.io/metadata.name.",
    ),
  })
  .meta(
    rules(
      {
        rule: "self.from != 'Selector' || has(self.selector)",
        message: "selector is required when from is Selector",
        reason: "FieldValueRequired",
      },
      {
        rule: "self.from == 'Selector' || !has(self.selector)",
        message: "selector can be given only when from is Selector",
        reason: "FieldValueForbidden",
      },
    ),
  );
export type AllowedNamespaces = z.infer<typeof AllowedNamespaces>;
