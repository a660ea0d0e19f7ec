import type { KafkaConnectSpec } from "@headrace/contract";
import { toJars } from "./artifacts.ts";
import { METRICS_PORT } from "./names.ts";
import { CONFIG_DIR } from "./volumes.ts";

/** The file beside the worker's properties in which Java's workers find the rules of their metrics. */
export const RULES_FILE = "metrics-rules.yaml";
/** The file that its project publishes, whatever server it comes from. */
const AGENT = /\/jmx_prometheus_javaagent-[^/]+\.jar$/;

/** Prometheus's JMX exporter inside a worker's process, as `metricsConfig` asks for it. */
export interface JmxExporter {
  /** The agent's jar, which `spec.build` fetches. */
  readonly jar: string;
  /** Where its rules are. */
  readonly rules: { readonly name: string; readonly key: string };
}

/** Null: it is not asked for, not for workers of Java's, or `spec.build` has no agent. */
export function jmxExporter(spec: Pick<KafkaConnectSpec, "runtime" | "metricsConfig" | "build">): JmxExporter | null {
  if (!wantsJmxExporter(spec)) return null;
  const { configMapKeyRef: rules } = spec.metricsConfig?.valueFrom ?? {};
  const jar = toJars(spec).find((file) => AGENT.test(file));
  return rules === undefined || jar === undefined ? null : { jar, rules };
}

/** Whether Java's workers are to have it. */
export function wantsJmxExporter({
  runtime,
  metricsConfig,
}: Pick<KafkaConnectSpec, "runtime" | "metricsConfig">): boolean {
  return runtime === "Jvm" && metricsConfig?.type === "jmxPrometheusExporter";
}

/** The option of the Java virtual machine that starts it, at the pod's own address. */
export function agentOption({ jar }: JmxExporter): string {
  return `-javaagent:${jar}=$(POD_IP):${METRICS_PORT}:${CONFIG_DIR}/${RULES_FILE}`;
}
