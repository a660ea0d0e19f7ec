import { type ConfigValueProblem, type KafkaConnectSpec, toStringMap } from "@headrace/contract";
import { REST_PORT } from "./names.ts";

/** The text of a worker's properties file, and what of `spec.config` is not in it. */
export interface WorkerProperties {
  readonly text: string;
  /** Keys of `spec.config` that are the operator's. */
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

/** The worker resolves this when it starts. */
const POD_IP = `\${env:POD_IP}`;
const JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter";
const ENV_PROVIDER = "org.apache.kafka.common.config.provider.EnvVarConfigProvider";

/** Renders the worker's properties: every line in a fixed order, so that equal specs give equal text. */
export function renderWorkerProperties(spec: KafkaConnectSpec): WorkerProperties {
  const { values, problems } = toStringMap(spec.config ?? {});
  const notApplied = Object.keys(values).filter(isOwned).sort();
  const user = Object.entries(values).filter(([key]) => !isOwned(key));
  const properties: Record<string, string> = {
    "bootstrap.servers": spec.bootstrapServers,
    "group.id": spec.groupId,
    "config.storage.topic": spec.configStorageTopic,
    "offset.storage.topic": spec.offsetStorageTopic,
    "status.storage.topic": spec.statusStorageTopic,
    listeners: `http://${POD_IP}:${REST_PORT}`,
    "rest.advertised.host.name": POD_IP,
    "rest.advertised.port": String(REST_PORT),
    "key.converter": JSON_CONVERTER,
    "value.converter": JSON_CONVERTER,
    "scheduled.rebalance.max.delay.ms": "0",
    ...shutdownGrace(spec.template?.pod?.terminationGracePeriodSeconds),
    "config.providers.env.class": ENV_PROVIDER,
    ...Object.fromEntries(user.sort(([a], [b]) => (a < b ? -1 : 1))),
    "config.providers": withEnv(values["config.providers"]),
  };
  const lines = Object.entries(properties).map(([key, value]) => `${escaped(key, true)}=${escaped(value, false)}\n`);
  return { text: lines.join(""), notApplied, problems };
}

/** The worker ends in an orderly way a little before the kubelet would kill it. Its own default fits the default of pods. */
function shutdownGrace(podSeconds: number | undefined): Readonly<Record<string, string>> {
  if (podSeconds === undefined) return {};
  return { "headrace.shutdown.grace.ms": String(Math.max(podSeconds - 5, 1) * 1000) };
}

function isOwned(key: string): boolean {
  return !ALLOWED.has(key) && OWNED.some((prefix) => key.startsWith(prefix));
}

/** The user's providers come first; `env` is always there, since the worker's address comes through it. */
function withEnv(providers: string | undefined): string {
  const named = (providers ?? "").split(",").map((name) => name.trim());
  return [...named.filter((name) => name !== "" && name !== "env"), "env"].join(",");
}

/** Escapes as java.util.Properties.store does. */
function escaped(text: string, isKey: boolean): string {
  return text.replace(/[\\\t\n\r\f]|^ |[ =:#!]|[^\x20-\x7e]/g, (character, offset: number) => {
    const named = NAMED_ESCAPES[character];
    if (named !== undefined) return named;
    if (character < " " || character > "~") return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
    return isKey || offset === 0 ? `\\${character}` : character;
  });
}

const NAMED_ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
  "\f": "\\f",
};
