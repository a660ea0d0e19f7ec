import type { StringMap } from "@headrace/contract";
import { ConnectError } from "../errors.ts";
import { CLIENT_PROPERTIES, type Target } from "./client-properties.ts";
import { isSecurityProperty, oauthOf, readSecurity, type Security, toLibrdkafkaSecurity } from "./client-security.ts";
import { parseJaasOptions } from "./jaas.ts";
import type { OAuthTrust } from "./oauth-settings.ts";
import type { KafkaClientSettings, OAuthSettings } from "./settings.ts";

/**
 * Java's client properties, merged per client as Kafka Connect does (contract §6.5) and translated for librdkafka and kafkajs.
 *
 * One difference, on purpose: security settings of the worker's un-prefixed keys count for every client, unless they are given
 * again with a prefix; Java takes over `bootstrap.servers` only.
 */

/** What a client of librdkafka is created with. */
export interface LibrdkafkaConfig {
  readonly config: Readonly<Record<string, string>>;
  /** Where its OAUTHBEARER tokens come from; null for every other mechanism. */
  readonly oauth: OAuthSettings | null;
  /** The Java properties it was made of, for what the caller does itself, such as `max.poll.records`. */
  readonly properties: StringMap;
  /** What could not be translated, by name; values are never shown. */
  readonly warnings: readonly string[];
}

/** What a cluster of kafkajs is created with. */
export interface KafkaJsConfig {
  readonly settings: KafkaClientSettings;
  readonly properties: StringMap;
  readonly warnings: readonly string[];
}

/** Whose client it is. Placeholders in both configurations are resolved. */
export interface ConnectorClient {
  readonly worker: StringMap;
  readonly connectorConfig: StringMap;
  readonly connector: string;
  readonly task: number;
}

const INT_MAX = "2147483647";
const RDKAFKA_BASE = {
  "log.connection.close": "false",
  "socket.keepalive.enable": "true",
  "reconnect.backoff.ms": "50",
  "reconnect.backoff.max.ms": "1000",
};

/**
 * librdkafka stops fetching when 100,000 records or 64 MiB wait to be taken, and by default looks again after a second. A fast sink has
 * taken all of them in a tenth of that.
 */
const RDKAFKA_FETCHING = { "fetch.queue.backoff.ms": "20" };

/** Producer of a source task (contract §6.5, DESIGN §4.4): idempotent, all acknowledgements, no giving up, a queue bounded in bytes. */
export function sourceProducerConfig(client: ConnectorClient): LibrdkafkaConfig {
  const properties = { ...PRODUCER_BASE, "client.id": `connector-producer-${client.connector}-${client.task}` };
  const gapless = client.connectorConfig["errors.tolerance"]?.trim().toLowerCase() !== "all";
  return producerConfig(client, properties, gapless);
}

/**
 * Producer of a source task with exactly-once delivery (contract §6.5): every refused record fails its transaction, and how long a record
 * may take is the transaction's time-out.
 */
export function transactionalProducerConfig(client: ConnectorClient): LibrdkafkaConfig {
  const transactionalId = taskTransactionalId(client.worker, client.connector, client.task);
  const given = overrides(client, "producer")["transactional.id"];
  const made = producerConfig(
    {
      ...client,
      connectorConfig: { ...client.connectorConfig, "producer.override.transactional.id": transactionalId },
    },
    { ...PRODUCER_BASE, "client.id": `connector-producer-${client.connector}-${client.task}` },
    false,
  );
  const { "message.timeout.ms": _, ...config } = made.config;
  const warnings = [...made.warnings];
  if (given !== undefined && given !== transactionalId) {
    warnings.push(`transactional.id is always ${transactionalId} here: exactly-once delivery stands on it`);
  }
  if (config["enable.idempotence"] !== "true") {
    warnings.push("enable.idempotence is always true here: exactly-once delivery stands on it");
  }
  return { ...made, config: { ...config, "enable.idempotence": "true" }, warnings };
}

/** The transactional id of a source task, `<gid>-<c>-<n>` (KIP-618). */
export function taskTransactionalId(worker: StringMap, connector: string, task: number): string {
  return `${worker["group.id"] ?? "connect"}-${connector}-${task}`;
}

/** The transactional id under which the leader writes to the config topic (contract §2.3). */
export function leaderTransactionalId(worker: StringMap): string {
  return `connect-cluster-${worker["group.id"] ?? "connect"}`;
}

/** How to reach the cluster that a source connector's own offsets topic is in: as its producers reach theirs. */
export function connectorOffsetsConfig(client: Omit<ConnectorClient, "task">): KafkaJsConfig {
  const clientId = `connector-offset-producer-${client.connector}`;
  const made = toKafkaJs(
    { ...adminBase(client.worker), "client.id": clientId, ...overrides(client, "producer") },
    trustOf(client.worker),
  );
  // What counts only for producers of librdkafka has been told by the task's own.
  return { ...made, warnings: [] };
}

/** Whether offsets topics of connectors are read without what belongs to open and aborted transactions (contract §3). */
export function readsCommittedOffsets(client: Pick<ConnectorClient, "worker" | "connectorConfig">): boolean {
  const level = overrides(client, "consumer")["isolation.level"];
  return level === undefined || level.trim().toLowerCase() === "read_committed";
}

/** Producer of a sink task's dead letter queue. */
export function dlqProducerConfig(client: ConnectorClient): LibrdkafkaConfig {
  const properties = { ...PRODUCER_BASE, "client.id": `connector-dlq-producer-${client.connector}-${client.task}` };
  return producerConfig(client, properties, false);
}

const PRODUCER_BASE = {
  acks: "all",
  "enable.idempotence": "true",
  "delivery.timeout.ms": INT_MAX,
  "max.request.size": "1048576",
};

/**
 * Records that a producer may have at once, besides the bytes, and those of one batch: five batches, as many as may be under way at a broker.
 * With librdkafka's 10,000 in a batch, a window of this size would be two batches that wait for one another. Of what is under way the task
 * keeps the records as well; with more of them they outlive V8's young memory, which costs more time than it saves. Whoever sets how much
 * waits, or for how long, gets librdkafka's 100,000 and 10,000: it sends no sooner because its queue is full, so that records that linger
 * would fill it. Whoever sets a batch's bytes gets 10,000 in a batch.
 */
function recordsAtOnce(given: StringMap): Readonly<Record<string, string>> {
  if (given["buffer.memory"] !== undefined || given["linger.ms"] !== undefined) {
    return { "queue.buffering.max.messages": "100000" };
  }
  const batch = given["batch.size"] === undefined ? { "batch.num.messages": "5000" } : {};
  return { "queue.buffering.max.messages": "24576", ...batch };
}

const MIB = 1024 * 1024;

/** Room for eight requests, of which five may be under way at a broker; 8 MiB by default. Java's default is the most: 32 MiB. */
function bufferMemory(maxRequestSize: string | undefined): string {
  const requests = 8 * (Number(maxRequestSize) || MIB);
  return String(Math.min(Math.max(requests, 8 * MIB), 32 * MIB));
}

function producerConfig(client: ConnectorClient, base: StringMap, gapless: boolean): LibrdkafkaConfig {
  const explicit = overrides(client, "producer");
  const warnings: string[] = [];
  const given: StringMap = { ...base, ...shared(client.worker), ...explicit };
  const properties = { "buffer.memory": bufferMemory(given["max.request.size"]), ...given };
  const translated = toLibrdkafka(properties, "producer", trustOf(client.worker));
  const config: Record<string, string> = {
    ...RDKAFKA_BASE,
    ...recordsAtOnce(given),
    partitioner: "murmur2_random",
    ...translated.config,
  };
  if (explicit["enable.idempotence"] === undefined && excludesIdempotence(config))
    config["enable.idempotence"] = "false";
  if (config["enable.idempotence"] === "true") {
    if (gapless) config["enable.gapless.guarantee"] = "true";
  } else {
    warnings.push("the producer is not idempotent by these settings: a retry may repeat records");
    const inFlight = explicit["max.in.flight.requests.per.connection"];
    if (inFlight === undefined) config["max.in.flight.requests.per.connection"] = "1";
    else if (Number(inFlight) > 1) {
      warnings.push("max.in.flight.requests.per.connection above 1 without idempotence: a retry may change the order");
    }
  }
  if (config["acks"] !== "all" && config["acks"] !== "-1") {
    warnings.push("acks is not all: acknowledged records can be lost with a broker");
  }
  return { config, oauth: translated.oauth, properties, warnings: [...translated.warnings, ...warnings] };
}

/** Settings under which Java turns idempotence off by itself (KafkaProducer's ProducerConfig.postProcessAndValidateIdempotenceConfigs). */
function excludesIdempotence(config: Readonly<Record<string, string>>): boolean {
  const acks = config["acks"];
  return (
    (acks !== "all" && acks !== "-1") ||
    config["retries"] === "0" ||
    Number(config["max.in.flight.requests.per.connection"] ?? 5) > 5
  );
}

/**
 * Consumer of a sink task: a member of group `connect-<c>` (contract §6.5). Java's client id, and the name of the Connect cluster behind it:
 * two clusters that have a sink of one name share its consumer group, and each must know its own members there.
 */
export function sinkConsumerConfig(client: ConnectorClient, cluster: string): LibrdkafkaConfig {
  const base = {
    "group.id": `connect-${client.connector}`,
    "client.id": sinkClientId(client, cluster),
    "auto.offset.reset": "earliest",
    "isolation.level": "read_uncommitted",
    "allow.auto.create.topics": "true",
    "partition.assignment.strategy": "org.apache.kafka.clients.consumer.RangeAssignor",
    "heartbeat.interval.ms": "500",
  };
  const properties: Record<string, string> = { ...base, ...shared(client.worker), ...overrides(client, "consumer") };
  const warnings: string[] = [];
  if ((properties["enable.auto.commit"] ?? "false").trim().toLowerCase() !== "false") {
    warnings.push("enable.auto.commit is always false here: offsets are committed after the sink has flushed");
  }
  properties["enable.auto.commit"] = "false";
  const translated = toLibrdkafka(properties, "consumer", trustOf(client.worker));
  return {
    config: { ...RDKAFKA_BASE, ...RDKAFKA_FETCHING, ...translated.config, "enable.auto.commit": "false" },
    oauth: translated.oauth,
    properties,
    warnings: [...translated.warnings, ...warnings],
  };
}

/** The client id of a sink task's consumer, unless the configuration has one of its own. No two tasks of one Kafka have the same. */
export function sinkClientId({ connector, task }: ConnectorClient, cluster: string): string {
  return `connector-consumer-${connector}-${task}-${cluster}`;
}

/** Admin client of a connector's task; `purpose` is the prefix of its client id (contract §6.5). */
export function adminConfig(
  client: ConnectorClient,
  purpose: "connector-adminclient" | "connector-dlq-adminclient" = "connector-adminclient",
): KafkaJsConfig {
  const clientId = `${purpose}-${client.connector}-${client.task}`;
  return toKafkaJs(
    { ...adminBase(client.worker), "client.id": clientId, ...overrides(client, "admin") },
    trustOf(client.worker),
  );
}

/** Admin client of the worker for one connector, for instance for the offsets of a sink. */
export function connectorAdminConfig(client: Omit<ConnectorClient, "task">): KafkaJsConfig {
  const clientId = `connector-worker-adminclient-${client.connector}`;
  return toKafkaJs(
    { ...adminBase(client.worker), "client.id": clientId, ...overrides(client, "admin") },
    trustOf(client.worker),
  );
}

/** The worker's own clients (contract §2.3); `purpose` is the end of the client id. */
export function workerClientConfig(
  worker: StringMap,
  purpose: "configs" | "configs-leader" | "offsets" | "statuses" | "shared-admin",
): KafkaJsConfig {
  const prefix = [worker["group.id"] ?? "connect", worker["client.id"] ?? ""].filter((part) => part !== "").join("-");
  return toKafkaJs({ ...adminBase(worker), "client.id": `${prefix}-${purpose}` });
}

/** The client of the worker's group membership (contract §1.1). */
export function groupClientConfig(worker: StringMap, workerId: string): KafkaJsConfig {
  const own = worker["client.id"]?.trim() ?? "";
  return toKafkaJs({ ...adminBase(worker), "client.id": own === "" ? `connect-${workerId}` : own });
}

/** Of the worker's configuration, all that a Kafka client reads. */
function adminBase(worker: StringMap): StringMap {
  return pick(worker, isClientProperty);
}

/** Whether the worker's own clients of Kafka read the property. */
export function isClientProperty(key: string): boolean {
  return isSecurityProperty(key) || CLIENT_PROPERTIES[key]?.kafkajs != null;
}

/** What the worker's un-prefixed keys say to every client. */
function shared(worker: StringMap): StringMap {
  return pick(worker, (key) => key === "bootstrap.servers" || isSecurityProperty(key));
}

function overrides(
  { worker, connectorConfig }: Pick<ConnectorClient, "worker" | "connectorConfig">,
  kind: "producer" | "consumer" | "admin",
): StringMap {
  return { ...withPrefix(worker, `${kind}.`), ...withPrefix(connectorConfig, `${kind}.override.`) };
}

function withPrefix(config: StringMap, prefix: string): StringMap {
  const entries = Object.entries(config).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(entries.map(([key, value]) => [key.slice(prefix.length), value]));
}

function pick(config: StringMap, wanted: (key: string) => boolean): StringMap {
  return Object.fromEntries(Object.entries(config).filter(([key]) => wanted(key)));
}

/**
 * What is wrong with the security settings of a worker's clients, by key as it stands in the worker's file. Empty if all of them can be
 * made as they are described.
 */
export function workerSecurityProblems(worker: StringMap): readonly string[] {
  const own = readSecurity(shared(worker)).problems;
  const prefixed = (["producer", "consumer", "admin"] as const).flatMap((kind) => {
    const given = pick(withPrefix(worker, `${kind}.`), isSecurityProperty);
    if (Object.keys(given).length === 0) return [];
    const { problems } = readSecurity({ ...shared(worker), ...given });
    return problems.filter((problem) => !own.includes(problem)).map((problem) => `${kind}.${problem}`);
  });
  return [...own, ...prefixed];
}

/** What is wrong with the security settings of one kind of client of a connector; by key, without `producer.override.` and its like. */
export function overrideSecurityProblems(
  client: Pick<ConnectorClient, "worker" | "connectorConfig">,
  kind: "producer" | "consumer" | "admin",
): readonly string[] {
  return readSecurity({ ...shared(client.worker), ...overrides(client, kind) }, trustOf(client.worker)).problems;
}

/** Token endpoints that the worker's own settings name, or its `headrace.sasl.oauthbearer.allowed.urls`. */
function trustOf(worker: StringMap): OAuthTrust {
  const urls = (worker["headrace.sasl.oauthbearer.allowed.urls"] ?? "").split(",").map((url) => url.trim());
  for (const [key, value] of Object.entries(worker)) {
    if (key.endsWith("sasl.oauthbearer.token.endpoint.url")) urls.push(value);
    if (!key.endsWith("sasl.jaas.config")) continue;
    const options = parseJaasOptions(value);
    const location = options.get("oauth.access.token.location");
    urls.push(options.get("oauth.token.endpoint.uri") ?? "", location === undefined ? "" : `file://${location}`);
  }
  return { urls: new Set(urls) };
}

/** A client that is less secure than its settings say is never made. */
function throwIfUnusable({ problems }: Security): void {
  if (problems.length > 0) throw new ConnectError("config-invalid", `Kafka client settings: ${problems.join("; ")}`);
}

/** Translates Java's properties of a producer or consumer into librdkafka's. Throws ConnectError `config-invalid`. */
export function toLibrdkafka(
  properties: StringMap,
  kind: "producer" | "consumer",
  trust: OAuthTrust | null = null,
): Pick<LibrdkafkaConfig, "config" | "oauth" | "warnings"> {
  const security = readSecurity(properties, trust);
  throwIfUnusable(security);
  const warnings = [...security.warnings];
  const config = toLibrdkafkaSecurity(security);
  for (const [key, value] of Object.entries(properties)) {
    if (isSecurityProperty(key) || key === "enable.auto.commit") continue;
    const property = CLIENT_PROPERTIES[key];
    const target = property?.[kind];
    if (target == null) {
      if (property?.silent !== true) warnings.push(`${key} is not supported and has no effect`);
      continue;
    }
    const translated = translate(target, value.trim());
    if (translated.warning !== null) warnings.push(`${key} ${translated.warning}`);
    if (translated.value !== null) config[target.name] = translated.value;
  }
  // librdkafka wants its cache to outlive three refreshes.
  const refreshMs = Number(config["topic.metadata.refresh.interval.ms"] ?? 0);
  if (refreshMs > 0) config["metadata.max.age.ms"] = String(Math.min(refreshMs * 3, 86_400_000));
  return { config, oauth: oauthOf(security), warnings };
}

function translate(
  { range, convert }: Target,
  value: string,
): { readonly value: string | null; readonly warning: string | null } {
  const converted = convert === undefined ? value : convert(value);
  if (converted === undefined) return { value: null, warning: "has a value that is not supported, and no effect" };
  if (range === undefined) return { value: converted, warning: null };
  const number = Number(converted);
  if (!Number.isFinite(number)) return { value: null, warning: "is not a number, and has no effect" };
  const [min, max] = range;
  if (number < min) return { value: String(min), warning: `is below the least possible value: ${min} is used` };
  if (number > max) return { value: String(max), warning: `is above the greatest possible value: ${max} is used` };
  return { value: converted, warning: null };
}

/** Translates Java's properties of any client into settings for kafkajs. Throws ConnectError `config-invalid`. */
export function toKafkaJs(properties: StringMap, trust: OAuthTrust | null = null): KafkaJsConfig {
  const security = readSecurity(properties, trust);
  throwIfUnusable(security);
  const warnings = [...security.warnings];
  for (const key of Object.keys(properties)) {
    const property = CLIENT_PROPERTIES[key];
    if (isSecurityProperty(key) || property?.kafkajs != null || property?.silent === true) continue;
    warnings.push(`${key} is not supported and has no effect`);
  }
  const number = (key: string, fallback: number) => {
    const value = Number(properties[key] ?? fallback);
    if (Number.isFinite(value) && value >= 0) return value;
    warnings.push(`${key} is not a number, and has no effect`);
    return fallback;
  };
  const brokers = (properties["bootstrap.servers"] ?? "localhost:9092").split(",").map((server) => server.trim());
  const settings: KafkaClientSettings = {
    brokers: brokers.filter((server) => server !== ""),
    clientId: properties["client.id"] ?? "",
    tls: security.tls,
    sasl: security.sasl,
    connectionTimeoutMs: number("socket.connection.setup.timeout.ms", 10_000),
    requestTimeoutMs: number("request.timeout.ms", 40_000),
    retryBackoffMs: number("retry.backoff.ms", 100),
    retryBackoffMaxMs: number("retry.backoff.max.ms", 1_000),
  };
  return { settings, properties, warnings };
}
