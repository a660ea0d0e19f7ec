import { z } from "zod";
import { ConfigMapValueFrom } from "./references.ts";
import { onlyFor, requiredFor, rules } from "./rules.ts";

/** How metrics are exported. */
export const MetricsConfig = z
  .object({
    type: z
      .enum(["jmxPrometheusExporter", "strimziMetricsReporter"])
      .describe("jmxPrometheusExporter: by rules. strimziMetricsReporter: those whose names are on a list."),
    valueFrom: ConfigMapValueFrom.optional().describe("Key of a ConfigMap that holds the JMX exporter's rules."),
    values: z
      .object({
        allowList: z.array(z.string()).optional().describe("Regular expressions; metrics that match one are exported."),
      })
      .optional()
      .describe("Settings of the metrics reporter."),
  })
  .meta(
    rules(
      requiredFor(["jmxPrometheusExporter"], "valueFrom"),
      onlyFor(["jmxPrometheusExporter"], "valueFrom"),
      onlyFor(["strimziMetricsReporter"], "values"),
    ),
  );
export type MetricsConfig = z.infer<typeof MetricsConfig>;
