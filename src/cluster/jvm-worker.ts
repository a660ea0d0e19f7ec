import type { KafkaConnectSpec, Probe } from "@headrace/contract";
import type { KafkaConnect } from "../kinds.ts";
import type { Variable } from "./environment.ts";
import { jmxOptions, withJmxFiles } from "./jmx-access.ts";
import { agentOption, jmxExporter } from "./jmx-exporter.ts";
import { metricsReporter } from "./jvm-metrics-reporter.ts";
import { tracingAgent, tracingEnvironment } from "./jvm-tracing.ts";
import { LOOPBACK_PORT } from "./names.ts";
import { LOOPBACK, readsCertificatesOnce } from "./rest-security.ts";
import { CONFIG_DIR } from "./volumes.ts";

const START = ["/opt/kafka/bin/connect-distributed.sh", `${CONFIG_DIR}/worker.properties`] as const;

/** How the worker's container runs Apache Kafka Connect. docs/jvm-runtime.md says what the image must have for it. */
export function jvmCommand(spec: KafkaConnectSpec): readonly string[] {
  return withJmxFiles(spec, START);
}

/** Plugins that are in the image itself. */
export const JVM_IMAGE_PLUGINS = "/opt/kafka/plugins";

export const LOG4J_FILE = "log4j2.properties";

/** To the standard output only: the container's file system is read-only, and /tmp is small. */
export const LOG4J_PROPERTIES = `name=headrace
status=warn
appender.console.type=Console
appender.console.name=STDOUT
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %X{connector.context}%m (%c:%L)%n
rootLogger.level=INFO
rootLogger.appenderRefs=console
rootLogger.appenderRef.console.ref=STDOUT
logger.reflections.name=org.reflections
logger.reflections.level=ERROR
`;

/** The environment that Kafka's own start scripts read (bin/kafka-run-class.sh). */
export function jvmEnvironment({ metadata, spec }: Pick<KafkaConnect, "metadata" | "spec">): readonly Variable[] {
  const { jvmOptions = {} } = spec;
  const heap = heapOptions(spec);
  const performance = Object.entries(jvmOptions["-XX"] ?? {}).map(([name, value]) => {
    if (value === "true") return `-XX:+${name}`;
    return value === "false" ? `-XX:-${name}` : `-XX:${name}=${value}`;
  });
  const exporter = jmxExporter(spec);
  const properties = (jvmOptions.javaSystemProperties ?? []).map(({ name, value }) => `-D${name}=${value}`);
  const tracing = tracingAgent(spec);
  const options = [
    ...(exporter === null ? [] : [agentOption(exporter)]),
    ...(tracing === null ? [] : [`-javaagent:${tracing}`]),
    ...properties,
  ];
  const classPath = metricsReporter(spec)?.classPath;
  const jmx = jmxOptions(spec);
  return [
    ...(readsCertificatesOnce(spec) ? [LOOPBACK] : []),
    { name: "LOG_DIR", value: "/tmp/kafka-logs" },
    { name: "KAFKA_LOG4J_OPTS", value: `-Dlog4j2.configurationFile=file:${CONFIG_DIR}/${LOG4J_FILE}` },
    ...(heap === "" ? [] : [{ name: "KAFKA_HEAP_OPTS", value: heap }]),
    ...(performance.length === 0
      ? []
      : [
          {
            name: "KAFKA_JVM_PERFORMANCE_OPTS",
            value: ["-server", ...performance, "-Djava.awt.headless=true"].join(" "),
          },
        ]),
    ...(options.length === 0 ? [] : [{ name: "KAFKA_OPTS", value: options.join(" ") }]),
    ...(jvmOptions.gcLoggingEnabled === true ? [{ name: "KAFKA_GC_LOG_OPTS", value: "-Xlog:gc*:stdout:time" }] : []),
    ...(jmx.length === 0 ? [] : [{ name: "KAFKA_JMX_OPTS", value: jmx.join(" ") }]),
    ...(classPath === undefined ? [] : [{ name: "CLASSPATH", value: classPath }]),
    ...(tracing === null ? [] : tracingEnvironment(metadata.name)),
  ];
}

/** What the user gives, or three quarters of the container's memory as in Strimzi, or else what the image's scripts have. */
function heapOptions({ jvmOptions = {}, resources }: KafkaConnectSpec): string {
  const { "-Xms": start, "-Xmx": most } = jvmOptions;
  const given = [...(start === undefined ? [] : [`-Xms${start}`]), ...(most === undefined ? [] : [`-Xmx${most}`])];
  if (given.length > 0) return given.join(" ");
  return resources?.limits?.["memory"] === undefined ? "" : "-XX:MaxRAMPercentage=75.0";
}

/** Asks the worker inside its pod how it is, with nothing but the shell of Kafka's own scripts. */
const ASK_HEALTH = [
  "/bin/bash",
  "-c",
  [
    `exec 3<>"/dev/tcp/$${LOOPBACK.name}/${LOOPBACK_PORT}"`,
    "printf 'GET /health HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3",
    "read -r _ status _ <&3",
    '[ "$status" = 200 ] || { echo "the worker answered $status"; exit 1; }',
  ].join(" && "),
] as const;

/**
 * Probes of Kafka Connect's REST API. Alive is who accepts connections: `/health` also fails when the worker waits for Kafka, and to be
 * killed would not help it. Ready is who is healthy (KIP-1017); where the API wants certificates, that is asked inside the pod.
 */
export function jvmProbes(spec: KafkaConnectSpec) {
  const { livenessProbe, readinessProbe } = spec;
  const health = readsCertificatesOnce(spec)
    ? { exec: { command: ASK_HEALTH } }
    : { httpGet: { path: "/health", port: "rest-api" } };
  const open = { tcpSocket: { port: "rest-api" } };
  const timed = (probe: object, timing: Probe) => ({ ...probe, ...timing });
  return {
    startupProbe: timed(open, { periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 150 }),
    livenessProbe: timed(open, { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3, ...livenessProbe }),
    readinessProbe: timed(health, { periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 3, ...readinessProbe }),
  };
}
