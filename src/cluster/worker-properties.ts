import {
  type ConfigValueProblem,
  type KafkaConnectSpec,
  KUBERNETES_PROVIDERS,
  toWorkerSettings,
} from "@headrace/contract";
import type { KafkaConnect } from "../kinds.ts";
import { ARTIFACT_PLUGINS_DIR, hasArtifacts, toArtifacts } from "./artifacts.ts";
import { metricsReporter, reporterProperties } from "./jvm-metrics-reporter.ts";
import { JVM_IMAGE_PLUGINS } from "./jvm-worker.ts";
import { kafkaAccess, OWN_PROVIDER, type Properties, USER_DIR } from "./kafka-access.ts";
import { REST_PORT } from "./names.ts";
import { MOUNT_DIR, toPlugins } from "./plugins.ts";
import { RACK_DIR, type RackSource, rackProperties, rackSource } from "./rack.ts";
import { CERTIFICATES_DIR, listeners, restProperties } from "./rest-security.ts";

/** The text of a worker's properties file, and what of `spec.config` is not in it. */
export interface WorkerProperties {
  readonly text: string;
  /** Keys of `spec.config` that are the operator's. */
  readonly notApplied: readonly string[];
  readonly problems: readonly ConfigValueProblem[];
}

/** The worker resolves this when it starts. */
const POD_IP = `\${env:POD_IP}`;
const PROVIDERS = "org.apache.kafka.common.config.provider";
const ENV_PROVIDER = `${PROVIDERS}.EnvVarConfigProvider`;
const DIRECTORY_PROVIDER = `${PROVIDERS}.DirectoryConfigProvider`;
const FILE_PROVIDERS = { directory: DIRECTORY_PROVIDER, file: `${PROVIDERS}.FileConfigProvider` };

/** Renders the worker's properties: every line in a fixed order, so that equal specs give equal text. */
export function renderWorkerProperties(
  connect: KafkaConnect,
  rack: RackSource = rackSource(connect.spec, false),
): WorkerProperties {
  const { spec } = connect;
  const { defaults, user, providers, notApplied, problems } = toWorkerSettings(spec);
  const access = kafkaAccess(spec);
  const given = givenProviders(spec, providers.split(","));
  const jvm = spec.runtime === "Jvm";
  const reporter = metricsReporter(spec);
  const own = [
    ...(access.user === null ? [] : [USER_DIR]),
    ...(rack.kind === "node-label" ? [RACK_DIR] : []),
    ...(jvm ? [CERTIFICATES_DIR] : []),
  ];
  const properties: Record<string, string> = {
    "bootstrap.servers": spec.bootstrapServers,
    "group.id": spec.groupId,
    "config.storage.topic": spec.configStorageTopic,
    "offset.storage.topic": spec.offsetStorageTopic,
    "status.storage.topic": spec.statusStorageTopic,
    ...access.properties,
    ...(jvm ? perClient(access.properties) : {}),
    listeners: listeners(spec, POD_IP),
    "rest.advertised.host.name": POD_IP,
    "rest.advertised.port": String(REST_PORT),
    ...restProperties(connect),
    ...defaults,
    "scheduled.rebalance.max.delay.ms": "0",
    ...(jvm ? {} : shutdownGrace(spec.template?.pod?.terminationGracePeriodSeconds)),
    "plugin.path": jvm ? jvmPluginPath(spec) : toPlugins(spec.plugins).path,
    ...given.properties,
    ...user,
    ...(reporter === null ? {} : reporterProperties(reporter, { address: POD_IP, user })),
    ...rackProperties(rack),
    ...(jvm || spec.isolation === undefined ? {} : { "headrace.isolation": spec.isolation.toLowerCase() }),
    ...(own.length === 0 ? {} : ownFiles(own)),
    "config.providers": listed(providers, [...given.names, ...(own.length === 0 ? [] : [OWN_PROVIDER])]),
  };
  const lines = Object.entries(properties).map(([key, value]) => `${escaped(key, true)}=${escaped(value, false)}\n`);
  return { text: lines.join(""), notApplied, problems };
}

/** Java looks for a plugin in each directory below one of the path, all jars at any depth of it together. */
function jvmPluginPath(spec: KafkaConnectSpec): string {
  const { images } = toPlugins(spec.plugins);
  return [
    JVM_IMAGE_PLUGINS,
    ...(images.length === 0 ? [] : [MOUNT_DIR]),
    ...(hasArtifacts(toArtifacts(spec)) ? [ARTIFACT_PLUGINS_DIR] : []),
  ].join(",");
}

/** Java's workers do not pass their own settings on to the clients of their tasks. */
function perClient(properties: Properties): Properties {
  const clients = ["producer", "consumer", "admin"];
  return Object.fromEntries(
    clients.flatMap((client) => Object.entries(properties).map(([key, value]) => [`${client}.${key}`, value])),
  );
}

/** The provider of the operator's own placeholders, which reads nothing else. */
function ownFiles(directories: readonly string[]): Properties {
  return {
    [`config.providers.${OWN_PROVIDER}.class`]: DIRECTORY_PROVIDER,
    [`config.providers.${OWN_PROVIDER}.param.allowed.paths`]: directories.join(","),
    [`config.providers.${OWN_PROVIDER}.param.worker.only`]: "true",
  };
}

/**
 * Config providers that are there without being asked for, unless users name their own so: the environment, Secrets and ConfigMaps
 * (Apache's workers have no such providers), and the files of the volumes that users mount. The worker's other files are nobody's
 * business.
 */
function givenProviders(
  { runtime, template }: KafkaConnectSpec,
  users: readonly string[],
): { readonly names: readonly string[]; readonly properties: Properties } {
  const paths = (template?.connectContainer?.volumeMounts ?? []).map(({ mountPath }) => mountPath).join(",");
  const properties: Record<string, string> = { "config.providers.env.class": ENV_PROVIDER };
  const given = Object.entries(FILE_PROVIDERS).filter(([name]) => paths !== "" && !users.includes(name));
  for (const [name, provider] of given) {
    properties[`config.providers.${name}.class`] = provider;
    properties[`config.providers.${name}.param.allowed.paths`] = paths;
  }
  const kubernetes = runtime === "Jvm" ? {} : KUBERNETES_PROVIDERS;
  const readers = Object.entries(kubernetes).filter(([name]) => !users.includes(name));
  for (const [name, provider] of readers) properties[`config.providers.${name}.class`] = provider;
  return { names: ["env", ...[...given, ...readers].map(([name]) => name)], properties };
}

/** The users' providers, then those that are given. */
function listed(users: string, given: readonly string[]): string {
  return [...new Set([...users.split(","), ...given])].join(",");
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
