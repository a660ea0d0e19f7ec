import type { StringMap } from "../rest/connect.ts";
import { type ConfigValueProblem, toStringMap } from "./config-values.ts";
import type { KafkaConnectSpec } from "./kafka-connect.ts";
import type { KafkaConnectorSpec } from "./kafka-connector.ts";

/** What a KafkaConnect says about its workers' properties, wherever they run. */
export interface WorkerSettings {
  /** What holds unless the user says otherwise. */
  readonly defaults: StringMap;
  /** The applied part of `spec.config`. */
  readonly user: StringMap;
  /** The value of `config.providers`: the user's, and `env`. */
  readonly providers: string;
  /** The rest of it: addresses, security and the like, which the operator sets itself in a cluster. */
  readonly owned: StringMap;
  /** The keys of `owned`. */
  readonly notApplied: readonly string[];
  readonly problems: readonly ConfigValueProblem[];
}

/** Keys, or beginnings of keys, that users cannot set; Strimzi's list (reference/strimzi.md §1) and our metrics address. */
const OWNED = [
  "group.id",
  "config.storage.topic",
  "offset.storage.topic",
  "status.storage.topic",
  "ssl.",
  "sasl.",
  "security.",
  "listeners",
  "plugin.path",
  "rest.",
  "bootstrap.servers",
  "consumer.interceptor.classes",
  "producer.interceptor.classes",
  "prometheus.metrics.reporter.",
  "headrace.metrics.listener",
] as const;

const ALLOWED: ReadonlySet<string> = new Set([
  "ssl.endpoint.identification.algorithm",
  "ssl.cipher.suites",
  "ssl.protocol",
  "ssl.enabled.protocols",
]);

/**
 * Config providers that read Secrets and ConfigMaps by the Kubernetes API, with their classes. Headrace's workers of a KafkaConnect have
 * them without being asked for, unless the user names another of that name.
 */
export const KUBERNETES_PROVIDERS: Readonly<Record<string, string>> = {
  secrets: "io.strimzi.kafka.KubernetesSecretConfigProvider",
  configmaps: "io.strimzi.kafka.KubernetesConfigMapConfigProvider",
};

const JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter";

/** Reads them; the operator and the worker's standalone mode add addresses and storage. */
export function toWorkerSettings(spec: Pick<KafkaConnectSpec, "config">): WorkerSettings {
  const { values, problems } = toStringMap(spec.config ?? {});
  const user = Object.entries(values).filter(([key]) => !isOwned(key));
  const owned = Object.entries(values).filter(([key]) => isOwned(key));
  return {
    defaults: { "key.converter": JSON_CONVERTER, "value.converter": JSON_CONVERTER },
    user: Object.fromEntries(user.sort(([a], [b]) => (a < b ? -1 : 1))),
    providers: withEnv(values["config.providers"]),
    owned: Object.fromEntries(owned),
    notApplied: owned.map(([key]) => key).sort(),
    problems,
  };
}

function isOwned(key: string): boolean {
  return !ALLOWED.has(key) && OWNED.some((prefix) => key.startsWith(prefix));
}

/** The user's providers come first; `env` is always there, since the worker's address comes through it. */
function withEnv(providers: string | undefined): string {
  const named = (providers ?? "").split(",").map((name) => name.trim());
  return [...named.filter((name) => name !== "" && name !== "env"), "env"].join(",");
}

/** Keys of a connector's `spec.config` that have a field of their own. */
export const CONNECTOR_FIELDS: Readonly<Record<string, string>> = {
  name: "metadata.name",
  "connector.class": "spec.class",
  "tasks.max": "spec.tasksMax",
  "connector.plugin.version": "spec.version",
};

/** The flat configuration that a KafkaConnector asks for; with any problem nothing may be changed. */
export function toConnectorConfig(
  name: string,
  spec: Pick<KafkaConnectorSpec, "class" | "tasksMax" | "version" | "config">,
): { readonly config: StringMap; readonly problems: readonly ConfigValueProblem[] } {
  const { values, problems } = toStringMap(spec.config ?? {});
  const users = Object.entries(values).filter(([key]) => CONNECTOR_FIELDS[key] === undefined);
  return {
    config: {
      ...Object.fromEntries(users),
      name,
      "connector.class": spec.class,
      ...(spec.tasksMax === undefined ? {} : { "tasks.max": String(spec.tasksMax) }),
      ...(spec.version === undefined ? {} : { "connector.plugin.version": spec.version }),
    },
    problems,
  };
}
