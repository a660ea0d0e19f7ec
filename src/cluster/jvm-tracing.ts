import type { KafkaConnectSpec } from "@headrace/contract";
import { workloadName } from "../cluster-pods.ts";
import { toJars } from "./artifacts.ts";
import type { Variable } from "./environment.ts";

/** The file that its project publishes; its releases leave the version out, Maven does not. */
const AGENT = /\/opentelemetry-javaagent(-[^/]+)?\.jar$/;

/** Whether Java's workers are to tell traces. */
export function wantsTracing({ runtime, tracing }: Pick<KafkaConnectSpec, "runtime" | "tracing">): boolean {
  return runtime === "Jvm" && tracing !== undefined;
}

/** The jar of OpenTelemetry's agent, which `spec.build` fetches. Null: no traces are asked for, or `spec.build` has no agent. */
export function tracingAgent(spec: Pick<KafkaConnectSpec, "runtime" | "tracing" | "build">): string | null {
  if (!wantsTracing(spec)) return null;
  return toJars(spec).find((file) => AGENT.test(file)) ?? null;
}

/**
 * What the agent is told unless users say otherwise: traces only, by OTLP, under the name that the cluster's pods share. Its own metrics of
 * Kafka's clients are off: it takes several `metric.reporters` for the name of one class, and no client starts.
 */
export function tracingEnvironment(cluster: string): readonly Variable[] {
  return [
    { name: "OTEL_SERVICE_NAME", value: workloadName(cluster) },
    { name: "OTEL_TRACES_EXPORTER", value: "otlp" },
    { name: "OTEL_METRICS_EXPORTER", value: "none" },
    { name: "OTEL_LOGS_EXPORTER", value: "none" },
    { name: "OTEL_INSTRUMENTATION_KAFKA_CLIENTS_METRICS_ENABLED", value: "false" },
  ];
}
