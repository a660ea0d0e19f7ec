import { z } from "zod";
import { ConfigMapValueFrom } from "./references.ts";
import { onlyFor, requiredFor, rules } from "./rules.ts";

/** Levels of the workers' loggers. */
export const Logging = z
  .object({
    type: z.enum(["inline", "external"]).describe("inline: levels stand here. external: in a ConfigMap."),
    loggers: z
      .record(z.string(), z.string())
      .optional()
      .describe("Levels by logger, for instance rootLogger.level: INFO, or logger.<id>.name and logger.<id>.level."),
    valueFrom: ConfigMapValueFrom.optional().describe("Key of a ConfigMap that holds log4j2 properties."),
  })
  .meta(
    rules(requiredFor(["external"], "valueFrom"), onlyFor(["external"], "valueFrom"), onlyFor(["inline"], "loggers")),
  );
export type Logging = z.infer<typeof Logging>;
