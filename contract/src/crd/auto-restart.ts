import { z } from "zod";
import { rules } from "./rules.ts";

/** Whether and how often what has failed is restarted by itself. */
export const AutoRestart = z.object({
  enabled: z.boolean().optional().describe("Whether it is on. true if not given."),
  maxRestarts: z
    .int()
    .min(0)
    .optional()
    .describe(
      "Restarts in a row after which the operator gives up; each task has its own count. No limit if not given.",
    ),
  backoff: z
    .object({
      initialSeconds: z
        .int()
        .min(1)
        .max(3600)
        .optional()
        .describe("Pause before the first restart, s. 1 if not given."),
      maxSeconds: z
        .int()
        .min(1)
        .max(86_400)
        .optional()
        .describe("Longest pause; each is twice the one before, s. 300 if not given."),
    })
    .meta(
      rules({
        rule: "!has(self.initialSeconds) || self.initialSeconds <= (has(self.maxSeconds) ? self.maxSeconds : 300)",
        message: "initialSeconds must not be more than maxSeconds (300 if not given)",
      }),
    )
    .optional()
    .describe("Pauses between restarts."),
  resetAfterSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .optional()
    .describe("Time without a failure after which earlier restarts no longer count, s. 600 if not given."),
});
export type AutoRestart = z.infer<typeof AutoRestart>;
