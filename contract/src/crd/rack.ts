import { z } from "zod";
import { rules } from "./rules.ts";

/** Where a worker learns its rack, so that its consumers read from the nearest replica. */
export const Rack = z
  .object({
    type: z
      .enum(["topology-label", "environment-variable"])
      .default("topology-label")
      .describe(
        "environment-variable: a variable of the container. topology-label: a label of the node, if the operator may let workers read it; otherwise its zone or region, which Kubernetes tells pods from 1.35 on, and other labels are accepted and not applied, and a Warning condition says so.",
      ),
    topologyKey: z.string().min(1).optional().describe("Label of the node, for instance topology.kubernetes.io/zone."),
    envVarName: z
      .string()
      .min(1)
      .optional()
      .describe("Variable of the container, set by template.connectContainer.env or by the image."),
  })
  .meta(
    rules(
      {
        rule: "self.type != 'topology-label' || has(self.topologyKey)",
        message: "topologyKey is required when type is topology-label, for instance topology.kubernetes.io/zone",
        reason: "FieldValueRequired",
      },
      {
        rule: "self.type != 'environment-variable' || has(self.envVarName)",
        message: "envVarName is required when type is environment-variable",
        reason: "FieldValueRequired",
      },
    ),
  );
export type Rack = z.infer<typeof Rack>;
