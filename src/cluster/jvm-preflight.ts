import type { KafkaConnectSpec } from "@headrace/contract";
import type { Pod } from "../kube/resources.ts";
import { CONFIG_DIR } from "./volumes.ts";

type Container = NonNullable<Pod["spec"]>["containers"][number];

/** Looks whether an image is what `runtime: Jvm` needs; its output is read like that of `headrace-worker check`. */
export const IMAGE_CHECK = [
  "/bin/sh",
  "-c",
  "test -x /opt/kafka/bin/connect-distributed.sh || { echo 'failed  the image has no /opt/kafka/bin/connect-distributed.sh: runtime Jvm needs an image of Apache Kafka Connect'; exit 1; }",
] as const;

/** Whether the container tries Kafka for workers of Java's, which may do without: its image is not theirs. */
export function triesKafka({ command }: Container): boolean {
  return command?.[1] === KAFKA_CHECK[1];
}

const KAFKA_CHECK = ["headrace-worker", "check-kafka", `${CONFIG_DIR}/worker.properties`] as const;

/** A worker's container, and the volumes of its pod. */
export interface ToCheck {
  readonly check: Container;
  readonly volumes: NonNullable<Pod["spec"]>["volumes"];
  /** Headrace's. */
  readonly workerImage: string;
}

/** What tries a revision of Java's workers, in this order. */
export interface JvmChecks {
  readonly before: readonly Container[];
  readonly last: Container;
}

/**
 * Java's worker cannot check its configuration without joining its group. So `check`, a container made of the worker's, looks into its image;
 * then Headrace's own worker tries the brokers, the credentials and the topics with the same properties, unless only a Java virtual machine
 * could know how to get there. One after the other: together they need no more than a worker does.
 */
export function jvmChecks(spec: KafkaConnectSpec, { check, volumes, workerImage }: ToCheck): JvmChecks {
  const image = { ...check, command: [...IMAGE_CHECK] };
  if (hasOwnWays(spec)) return { before: [], last: image };
  const { ports: _, ...first } = image;
  return {
    before: [{ ...first, name: "check-image" }],
    last: { ...check, image: workerImage, command: [...KAFKA_CHECK, ...filledMounts(check, volumes)] },
  };
}

/** Where the worker finds files that are there before it starts: whatever fills an empty volume may do so later. */
function filledMounts({ volumeMounts = [] }: Container, volumes: ToCheck["volumes"] = []): readonly string[] {
  const empty = new Set(volumes.flatMap(({ name, emptyDir }) => (emptyDir === undefined ? [] : [name])));
  return volumeMounts.flatMap(({ name, mountPath }) => (empty.has(name) ? [] : [mountPath]));
}

/** Trust, Kerberos, proxies: settings of the virtual machine that change how its clients get to Kafka. */
const OWN_PROPERTY =
  /^(javax\.net\.|javax?\.security\.|(com\.)?sun\.security\.|jdk\.|socksProxy|(https?|ftp)\.(proxy|nonProxy)|java\.net\.useSystemProxies)/;
const OWN_VARIABLES: ReadonlySet<string> = new Set([
  "KAFKA_OPTS",
  "KAFKA_JVM_PERFORMANCE_OPTS",
  "JAVA_TOOL_OPTIONS",
  "JDK_JAVA_OPTIONS",
]);

function hasOwnWays({ jvmOptions, template }: KafkaConnectSpec): boolean {
  const properties = jvmOptions?.javaSystemProperties ?? [];
  const variables = template?.connectContainer?.env ?? [];
  return (
    properties.some(({ name }) => OWN_PROPERTY.test(name)) || variables.some(({ name }) => OWN_VARIABLES.has(name))
  );
}
