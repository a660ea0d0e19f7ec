import { type ConfigValueProblem, type KafkaConnectSpec, toWorkerSettings } from "@headrace/contract";
import { REST_PORT } from "./names.ts";

/** The text of a worker's properties file, and what of `spec.config` is not in it. */
export interface WorkerProperties {
  readonly text: string;
  /** Keys of `spec.config` that are the operator's. */
  readonly notApplied: readonly string[];
  readonly problems: readonly ConfigValueProblem[];
}

/** The worker resolves this when it starts. */
const POD_IP = `\${env:POD_IP}`;
const ENV_PROVIDER = "org.apache.kafka.common.config.provider.EnvVarConfigProvider";

/** Renders the worker's properties: every line in a fixed order, so that equal specs give equal text. */
export function renderWorkerProperties(spec: KafkaConnectSpec): WorkerProperties {
  const { defaults, user, providers, notApplied, problems } = toWorkerSettings(spec);
  const properties: Record<string, string> = {
    "bootstrap.servers": spec.bootstrapServers,
    "group.id": spec.groupId,
    "config.storage.topic": spec.configStorageTopic,
    "offset.storage.topic": spec.offsetStorageTopic,
    "status.storage.topic": spec.statusStorageTopic,
    listeners: `http://${POD_IP}:${REST_PORT}`,
    "rest.advertised.host.name": POD_IP,
    "rest.advertised.port": String(REST_PORT),
    ...defaults,
    "scheduled.rebalance.max.delay.ms": "0",
    ...shutdownGrace(spec.template?.pod?.terminationGracePeriodSeconds),
    "config.providers.env.class": ENV_PROVIDER,
    ...user,
    "config.providers": providers,
  };
  const lines = Object.entries(properties).map(([key, value]) => `${escaped(key, true)}=${escaped(value, false)}\n`);
  return { text: lines.join(""), notApplied, problems };
}

/** The worker ends in an orderly way a little before the kubelet would kill it. Its own default fits the default of pods. */
function shutdownGrace(podSeconds: number | undefined): Readonly<Record<string, string>> {
  if (podSeconds === undefined) return {};
  return { "headrace.shutdown.grace.ms": String(Math.max(podSeconds - 5, 1) * 1000) };
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
