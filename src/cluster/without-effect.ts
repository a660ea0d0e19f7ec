import type { KafkaConnectSpec } from "@headrace/contract";
import { hasJmx, hasJmxPassword } from "./jmx-access.ts";
import { jmxExporter, wantsJmxExporter } from "./jmx-exporter.ts";
import { metricsReporter, wantsMetricsReporter } from "./jvm-metrics-reporter.ts";
import { tracingAgent, wantsTracing } from "./jvm-tracing.ts";
import { METRICS_PORT } from "./names.ts";
import { type RackSource, rackSource, rackWithoutEffect } from "./rack.ts";

/** The warning about keys of a free-form field that may not be set there. */
export function notApplied(field: string, keys: readonly string[]): readonly string[] {
  if (keys.length === 0) return [];
  return [`Not applied from ${field}, since the operator sets them itself: ${keys.join(", ")}.`];
}

/** What a KafkaConnect asks for and does not get, as sentences for its Warning condition. */
export function withoutEffect(spec: KafkaConnectSpec, rack: RackSource = rackSource(spec, false)): readonly string[] {
  const jvm = spec.runtime === "Jvm";
  const warnings: string[] = [];
  const unused = (jvm ? [] : JVM_ONLY).filter(([, isGiven]) => isGiven(spec)).map(([field]) => field);
  if (unused.length > 0) warnings.push(`Not used, since they are for runtime: Jvm only: ${unused.join(", ")}.`);
  if (!jvm && spec.metricsConfig !== undefined) {
    warnings.push(
      `spec.metricsConfig has no effect on Headrace's workers: each serves its metrics, under the JMX exporter's usual names, at /metrics of port ${METRICS_PORT}.`,
    );
  }
  const idle = NOT_NEEDED.filter(([, isGiven]) => isGiven(spec)).map(([field]) => field);
  if (idle.length > 0) warnings.push(`Without effect here: ${idle.join(", ")}.`);
  const unsupported = (jvm ? JVM_UNSUPPORTED : []).filter(([, isGiven]) => isGiven(spec)).map(([field]) => field);
  if (unsupported.length > 0) {
    warnings.push(`Not applied, since Java's workers have nothing like it: ${unsupported.join(", ")}.`);
  }
  for (const [field, artifact, isWanted, isThere] of FETCHED) {
    if (!isWanted(spec) || isThere(spec)) continue;
    warnings.push(
      `${field} is not applied: spec.build has no artifact ${artifact}, of type maven, or a file ${artifact}-….jar.`,
    );
  }
  const replaced = (jvm ? REPLACED : []).flatMap(([variable, field, isGiven]) =>
    isGiven(spec) && spec.template?.connectContainer?.env?.some(({ name }) => name === variable) === true
      ? [`${field} (${variable})`]
      : [],
  );
  if (replaced.length > 0) {
    warnings.push(
      `Not applied, since spec.template.connectContainer.env has the variable instead: ${replaced.join(", ")}.`,
    );
  }
  warnings.push(...rackWithoutEffect(rack));
  if (spec.template?.pod?.templatedVolumes?.length) {
    warnings.push(
      "spec.template.pod.templatedVolumes is not applied, since all pods of a StatefulSet have the same volumes; use spec.template.pod.volumes.",
    );
  }
  return warnings;
}

type Given = (spec: KafkaConnectSpec) => boolean;
type Check = readonly [field: string, isGiven: Given];

/** What only a Java virtual machine could use. */
const JVM_ONLY: readonly Check[] = [
  ["spec.jvmOptions", ({ jvmOptions }) => jvmOptions !== undefined],
  ["spec.jmxOptions", ({ jmxOptions }) => jmxOptions !== undefined],
  ["spec.tracing", ({ tracing }) => tracing !== undefined],
  ["spec.build", ({ build }) => build !== undefined],
  ["spec.template.jmxSecret", ({ template }) => template?.jmxSecret !== undefined],
];

/** What needs a jar that neither Apache's image nor the operator has. */
const FETCHED: readonly (readonly [field: string, artifact: string, isWanted: Given, isThere: Given])[] = [
  ["spec.metricsConfig", "jmx_prometheus_javaagent", wantsJmxExporter, (spec) => jmxExporter(spec) !== null],
  ["spec.metricsConfig", "client-metrics-reporter", wantsMetricsReporter, (spec) => metricsReporter(spec) !== null],
  ["spec.tracing", "opentelemetry-javaagent", wantsTracing, (spec) => tracingAgent(spec) !== null],
];

/** What Java's workers cannot do. */
const JVM_UNSUPPORTED: readonly Check[] = [
  ["spec.isolation", ({ isolation }) => isolation !== undefined],
  ["spec.rest.tokens", ({ rest }) => rest?.tokens !== undefined && rest.tokens.length > 0],
  [
    "spec.plugins of type npm",
    ({ plugins }) => plugins?.some(({ artifacts }) => artifacts.some(({ type }) => type === "npm")) === true,
  ],
];

/** What is told to Java by a variable, which the user may give instead. */
const REPLACED: readonly (readonly [variable: string, ...Check])[] = [
  ["KAFKA_OPTS", "spec.metricsConfig", (spec) => jmxExporter(spec) !== null],
  ["KAFKA_OPTS", "spec.tracing", (spec) => tracingAgent(spec) !== null],
  ["CLASSPATH", "spec.metricsConfig", (spec) => metricsReporter(spec) !== null],
  [
    "KAFKA_OPTS",
    "spec.jvmOptions.javaSystemProperties",
    ({ jvmOptions }) => (jvmOptions?.javaSystemProperties ?? []).length > 0,
  ],
  [
    "KAFKA_HEAP_OPTS",
    "spec.jvmOptions.-Xms and -Xmx",
    ({ jvmOptions }) => jvmOptions?.["-Xms"] !== undefined || jvmOptions?.["-Xmx"] !== undefined,
  ],
  ["KAFKA_JVM_PERFORMANCE_OPTS", "spec.jvmOptions.-XX", ({ jvmOptions }) => jvmOptions?.["-XX"] !== undefined],
  ["KAFKA_GC_LOG_OPTS", "spec.jvmOptions.gcLoggingEnabled", ({ jvmOptions }) => jvmOptions?.gcLoggingEnabled === true],
  ["KAFKA_JMX_OPTS", "spec.jmxOptions", hasJmx],
];

/** What other operators need and this one does not. */
const NOT_NEEDED: readonly Check[] = [
  ["spec.clientRackInitImage", ({ clientRackInitImage }) => clientRackInitImage !== undefined],
  ["spec.build.output", ({ runtime, build }) => runtime === "Jvm" && build?.output !== undefined],
  [
    "spec.template.jmxSecret",
    (spec) => spec.runtime === "Jvm" && spec.template?.jmxSecret !== undefined && !hasJmxPassword(spec),
  ],
  ["spec.template.clusterRoleBinding", ({ template }) => template?.clusterRoleBinding !== undefined],
  ["spec.template.buildPod", ({ template }) => template?.buildPod !== undefined],
  ["spec.template.buildContainer", ({ template }) => template?.buildContainer !== undefined],
  ["spec.template.buildConfig", ({ template }) => template?.buildConfig !== undefined],
  ["spec.template.buildServiceAccount", ({ template }) => template?.buildServiceAccount !== undefined],
];
