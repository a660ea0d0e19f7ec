import type { KafkaConnectSpec } from "@headrace/contract";
import { directoriesBeside } from "./artifacts.ts";
import type { Properties } from "./kafka-access.ts";
import { METRICS_PORT } from "./names.ts";

/** The jar of the reporter for clients, from its version 0.3 on. */
const JAR = /^client-metrics-reporter-[^/]+\.jar$/;
const CLASS = "io.strimzi.kafka.metrics.prometheus.ClientMetricsReporter";
/** Kafka's own, which is left out where others are named. */
const JMX_CLASS = "org.apache.kafka.common.metrics.JmxReporter";
const SETTINGS = "prometheus.metrics.reporter";

/** Java's workers do not pass their own settings on to the clients of their tasks. */
const PREFIXES = ["", "producer.", "consumer.", "admin."];

/** What dashboards look at; not what there is for each of the brokers and partitions. */
const ALLOWED = [
  "kafka_connect_.*",
  "kafka_consumer_consumer_(coordinator_|fetch_manager_)?metrics_.*",
  "kafka_producer_producer_(topic_)?metrics_.*",
  "kafka_admin_client_admin_client_metrics_.*",
];

/** Strimzi's metrics reporter inside a worker's process, as `metricsConfig` asks for it. */
export interface MetricsReporter {
  /** What Java has to load: all jars of the artifacts that `spec.build` fetches for it. */
  readonly classPath: string;
  /** Regular expressions of the metrics that are served. */
  readonly allowList: readonly string[];
}

type ReporterSpec = Pick<KafkaConnectSpec, "runtime" | "metricsConfig" | "build">;

/** Whether Java's workers are to have it. */
export function wantsMetricsReporter({ runtime, metricsConfig }: Omit<ReporterSpec, "build">): boolean {
  return runtime === "Jvm" && metricsConfig?.type === "strimziMetricsReporter";
}

/** Null: it is not asked for, not for workers of Java's, or `spec.build` has no such jar. */
export function metricsReporter(spec: ReporterSpec): MetricsReporter | null {
  if (!wantsMetricsReporter(spec)) return null;
  const directories = directoriesBeside(spec, JAR);
  if (directories.length === 0) return null;
  const { allowList = [] } = spec.metricsConfig?.values ?? {};
  return {
    classPath: directories.map((directory) => `${directory}/*`).join(":"),
    allowList: allowList.length === 0 ? ALLOWED : allowList,
  };
}

/**
 * The worker's settings, and those of its tasks' clients, that start it: all of them share one server at `address`. Reporters of `user`'s stay.
 */
export function reporterProperties(
  { allowList }: MetricsReporter,
  { address, user }: { readonly address: string; readonly user: Properties },
): Properties {
  const settings = PREFIXES.flatMap((prefix) => {
    const given = user[`${prefix}metric.reporters`]?.split(",").map((name) => name.trim()) ?? [JMX_CLASS];
    const reporters = new Set([...given.filter((name) => name !== ""), CLASS]);
    return [
      [`${prefix}metric.reporters`, [...reporters].join(",")],
      [`${prefix}${SETTINGS}.listener`, `http://${address}:${METRICS_PORT}`],
      [`${prefix}${SETTINGS}.allowlist`, allowList.join(",")],
    ] as const;
  });
  return Object.fromEntries(settings);
}
