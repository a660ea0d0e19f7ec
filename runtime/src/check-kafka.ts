import { parseWorkerConfig, placeholdersIn, type StringMap } from "@headrace/contract";
import { config } from "@headrace/sdk";
import { checkResolved, InvalidConfigError, type LoadedConfig, readProperties, resolveProperties } from "./config.ts";
import { knownProvider } from "./config-providers/resolver.ts";
import { type Finding, find } from "./finding.ts";
import { internalTopics } from "./internal-topics.ts";
import { filesOfPlaceholders, filesOfStores, missingFiles, unknownValues } from "./java-files.ts";
import { isKafkasAnswer, unusableMaterial } from "./java-kafka.ts";
import { isClientProperty, workerClientConfig } from "./kafka/client-config.ts";
import { readSecurity, type Security } from "./kafka/client-security.ts";
import { ensureInternalTopic } from "./kafka/internal-topic.ts";
import { parseJaas } from "./kafka/jaas.ts";
import { createTopicAdmin } from "./kafka/topic-admin.ts";
import type { Logger } from "./log.ts";

/** Tries Kafka with the worker's credentials, then its three topics, which are created if they are missing. */
export async function checkKafka(
  { config: worker, properties, log }: Pick<LoadedConfig, "config" | "properties"> & { readonly log: Logger },
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const admin = createTopicAdmin(workerClientConfig(properties, "shared-admin").settings, log);
  try {
    const kafka = await find(`Kafka at ${worker["bootstrap.servers"]}`, (limit) => admin.clusterId(limit), signal);
    if (kafka.problem !== null) return [kafka];
    const topics = Object.values(internalTopics(worker, properties));
    const checked = topics.map((topic) =>
      find(`topic ${topic.topic}`, (limit) => ensureInternalTopic(admin, topic, log, limit), signal),
    );
    return [kafka, ...(await Promise.all(checked))];
  } finally {
    admin.close();
  }
}

/** What came of trying Kafka with somebody else's properties. */
export type JavaKafkaCheck =
  | { readonly kind: "tried"; readonly findings: readonly Finding[] }
  /** Java's worker may be able to do what cannot be done here. */
  | { readonly kind: "not-tried"; readonly why: string };

/** Where somebody else's properties are tried. */
export interface JavaSurroundings {
  readonly env: StringMap;
  /** Directories that Java's worker has from its pod as well, as it has them here; every other file may be in its image only. */
  readonly mounts: readonly string[];
  readonly log: Logger;
}

/**
 * The same with the properties file of one of Java's workers. Only what its Kafka clients and topics are made of is read: its plugins and
 * its REST API may be of kinds that are not known here. Found wrong is only what Java's worker would stop at as well: an answer of Kafka's,
 * brokers that cannot be reached, files that are missing below `mounts`. Credentials, key material, files and variables of its image's that
 * are not here are not tried.
 */
export async function checkJavaKafka(
  file: string,
  { env, mounts, log }: JavaSurroundings,
  signal: AbortSignal,
): Promise<JavaKafkaCheck> {
  try {
    const raw = kafkaPropertiesOf(readProperties(file));
    const providers = foreignProviders(raw);
    if (providers.length > 0) return onlyJava(providers);
    const missing = missingFiles(filesOfPlaceholders(raw), mounts);
    if (missing.length > 0) return { kind: "tried", findings: missing };
    const resolved = await resolveProperties(raw, env, signal);
    const unresolved = resolved.problems.map(({ key, expected }) => `${key} ${expected}`);
    const unknown = [...unresolved, ...unknownValues(raw, resolved.properties, mounts)];
    if (unknown.length > 0) return notTried(unknown);
    const classes = foreignClasses(resolved.properties);
    if (classes.length > 0) return onlyJava(classes);
    const stores = missingFiles(filesOfStores(resolved.properties), mounts);
    if (stores.length > 0) return { kind: "tried", findings: stores };
    const properties = withPlainAddresses(resolved.properties);
    const security = readSecurity(properties);
    const unusable = security.problems.length > 0 ? null : unusableMaterial(security);
    if (unusable !== null) return notTried([unusable]);
    const loaded = checkResolved(file, { ...resolved, properties }, parseWorkerConfig);
    return toJavaCheck(await checkKafka({ ...loaded, log }, signal), security);
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) throw error;
    return notTried(error.problems.map(({ key, expected }) => `${key} ${expected}`));
  }
}

/** What Java's worker would find as well; what only this one does counts as not tried. */
function toJavaCheck(findings: readonly Finding[], security: Security): JavaKafkaCheck {
  const ours = findings.filter(({ problem, error }) => problem !== null && !isKafkasAnswer(error, security));
  const others = findings.filter((finding) => !ours.includes(finding));
  if (ours.length === 0 || others.some(({ problem }) => problem !== null)) return { kind: "tried", findings: others };
  return notTried(ours.map(({ what, problem }) => `${what}: ${problem}`));
}

function notTried(why: readonly string[]): JavaKafkaCheck {
  return { kind: "not-tried", why: why.join("; ") };
}

function onlyJava(keys: readonly string[]): JavaKafkaCheck {
  return notTried([`${keys.join(", ")}: only Java can load it`]);
}

/** A worker must name them; whatever is named is not looked for. */
const CONVERTERS = { "key.converter": "string", "value.converter": "string" };
const WORKER = /^(group\.id|client\.id|client\.dns\.lookup|(config|offset|status)\.storage\..*)$/;

/** Of a worker's properties, those that its Kafka clients and its topics are made of, and the config providers that these name. */
export function kafkaPropertiesOf(properties: StringMap): StringMap {
  const entries = Object.entries(properties);
  const kept = entries.filter(([key]) => WORKER.test(key) || isClientProperty(key));
  const named = new Set(kept.flatMap(([, value]) => placeholdersIn(value).map(({ provider }) => provider)));
  const providers = (properties["config.providers"] ?? "").split(",").map((name) => name.trim());
  const used = providers.filter((name) => named.has(name));
  const settings = entries.filter(([key]) => used.some((name) => key.startsWith(`config.providers.${name}.`)));
  return { ...CONVERTERS, ...Object.fromEntries([...kept, ...settings]), "config.providers": used.join(",") };
}

/** Keys of config providers that are not known here. */
function foreignProviders(properties: StringMap): readonly string[] {
  return config
    .splitList(properties["config.providers"])
    .filter((name) => knownProvider(name, properties) === null)
    .map((name) => `config.providers.${name}.class`);
}

const CLASS_KEY = /^(sasl|ssl)\..*\.class$/;
const KAFKAS_OWN = /^org\.apache\.kafka\./;

/** Keys of security settings that name a class of somebody else than Kafka's. */
function foreignClasses(properties: StringMap): readonly string[] {
  const named = Object.entries(properties).map(([key, value]): readonly [string, string] => {
    if (key === "sasl.jaas.config") return [key, parseJaas(value).loginModule];
    return [key, CLASS_KEY.test(key) ? value.trim() : ""];
  });
  return named.flatMap(([key, name]) => (name === "" || KAFKAS_OWN.test(name) ? [] : [key]));
}

/** Java takes `PLAINTEXT://host:port` for an address, too. */
function withPlainAddresses(properties: StringMap): StringMap {
  const servers = config
    .splitList(properties["bootstrap.servers"])
    .map((server) => server.replace(/^[\w.%-]*:\/\//, ""));
  return { ...properties, "bootstrap.servers": servers.join(",") };
}
