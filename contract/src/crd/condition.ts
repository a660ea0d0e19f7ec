import { z } from "zod";

/** One condition of a resource's status. Reasons are stable CamelCase words, messages are one sentence for people. */
export const Condition = z
  .object({
    type: z
      .string()
      .describe("What the condition is about: Ready, NotReady, Reconciling, Stalled, ConfigValid or Warning."),
    status: z.enum(["True", "False", "Unknown"]).describe("Whether it holds."),
    reason: z.string().optional().describe("Why, as one stable CamelCase word."),
    message: z.string().optional().describe("Why, as one sentence."),
    lastTransitionTime: z.string().optional().describe("When status changed last (RFC 3339)."),
  })
  .describe("One aspect of the resource's state.");
export type Condition = z.infer<typeof Condition>;

/** The conditions of a resource, at most one of each type. */
export const Conditions = z
  .array(Condition)
  .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] })
  .describe("The resource's state, one condition of each type. Ready is always there.");
