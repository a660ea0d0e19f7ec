import type { KafkaConnectSpec, Probe } from "@headrace/contract";
import { agentOption, jmxExporter } from "./jmx-exporter.ts";
import { LOOPBACK_PORT } from "./names.ts";
import { LOOPBACK, readsCertificatesOnce } from "./rest-security.ts";
import { CONFIG_DIR } from "./volumes.ts";

/** How the worker's container runs Apache Kafka Connect. docs/jvm-runtime.md says what the image must have for it. */
export const JVM_COMMAND = ["/opt/kafka/bin/connect-distributed.sh", `${CONFIG_DIR}/worker.properties`] as const;

/** Plugins that are in the image itself. */
export const JVM_IMAGE_PLUGINS = "/opt/kafka/plugins";

/** Looks whether an image is what `runtime: Jvm` needs; its output is read like that of `headrace-worker check`. */
export const JVM_CHECK_COMMAND = [
  "/bin/sh",
  "-c",
  "test -x /opt/kafka/bin/connect-distributed.sh || { echo 'failed  the image has no /opt/kafka/bin/connect-distributed.sh: runtime Jvm needs an image of Apache Kafka Connect'; exit 1; }",
] as const;

export const LOG4J_FILE = "log4j2.properties";
export const JMX_PORT = 9999;

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

/** Whether the workers answer on `JMX_PORT`: they do not ask for a password, so not where one is wanted. */
export function hasJmx({ runtime, jmxOptions }: Pick<KafkaConnectSpec, "runtime" | "jmxOptions">): boolean {
  return runtime === "Jvm" && jmxOptions !== undefined && jmxOptions.authentication === undefined;
}

/** A variable of the environment. */
export interface Variable {
  readonly name: string;
  readonly value: string;
}

/** The environment that Kafka's own start scripts read (bin/kafka-run-class.sh). */
export function jvmEnvironment(spec: KafkaConnectSpec): readonly Variable[] {
  const { jvmOptions = {}, jmxOptions } = spec;
  const heap = heapOptions(spec);
  const performance = Object.entries(jvmOptions["-XX"] ?? {}).map(([name, value]) => {
    if (value === "true") return `-XX:+${name}`;
    return value === "false" ? `-XX:-${name}` : `-XX:${name}=${value}`;
  });
  const exporter = jmxExporter(spec);
  const properties = (jvmOptions.javaSystemProperties ?? []).map(({ name, value }) => `-D${name}=${value}`);
  const options = [...(exporter === null ? [] : [agentOption(exporter)]), ...properties];
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
    ...(jmxOptions === undefined || jmxOptions.authentication !== undefined
      ? []
      : [{ name: "KAFKA_JMX_OPTS", value: JMX_OPTIONS }]),
  ];
}

const JMX_OPTIONS = [
  "-Dcom.sun.management.jmxremote=true",
  "-Dcom.sun.management.jmxremote.authenticate=false",
  "-Dcom.sun.management.jmxremote.ssl=false",
  `-Dcom.sun.management.jmxremote.port=${JMX_PORT}`,
  `-Dcom.sun.management.jmxremote.rmi.port=${JMX_PORT}`,
  "-Djava.rmi.server.hostname=$(POD_IP)",
].join(" ");

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
