import type { z } from "zod";

/** Tells zod of problems: messages, each with its key; null is none. */
export function complain(
  context: z.RefinementCtx,
  problems: readonly (readonly [key: string, message: string | null])[],
): void {
  for (const [key, message] of problems) {
    if (message !== null) context.addIssue({ code: "custom", path: [key], message });
  }
}
