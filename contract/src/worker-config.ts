import { z } from "zod";
import { EXECUTOR_MEMORY_KEY, LEAST_EXECUTOR_MEMORY_MB } from "./executor-memory.ts";

/**
 * The worker's configuration keys (contract §6.1, §6.2), read from a Java properties file: one declaration gives type, default and
 * documentation. Keys that are not here (converter sub-properties, `producer.*`, `ssl.*`, `sasl.*`, …) are kept and passed on as they are.
 */

const text = (doc: string) => z.string().describe(doc);

/** Values are trimmed as Java's ConfigDef does; "true" and "false" in any case. */
const flag = (fallback: boolean, doc: string) =>
  z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum(["true", "false"], { error: "must be true or false" }))
    .transform((value) => value === "true")
    .default(fallback)
    .describe(doc);

const whole = (range: { min: number; max?: number }) => {
  const { min, max } = range;
  const wanted = max === undefined ? `at least ${min}` : `from ${min} to ${max}`;
  return z
    .string()
    .trim()
    .regex(/^[+-]?\d+$/, { error: `must be a whole number, ${wanted}` })
    .transform(Number)
    .pipe(
      z
        .number()
        .refine((value) => value >= min && value <= (max ?? Number.MAX_SAFE_INTEGER), { error: `must be ${wanted}` }),
    );
};

const int = (fallback: number, doc: string, min = 0) => whole({ min }).default(fallback).describe(doc);

/** Replication factors and partition counts: positive, or -1 for the broker's default. */
const countOrBroker = (fallback: number, doc: string) =>
  whole({ min: -1 })
    .refine((value) => value !== 0, { error: "must be at least 1, or -1 for the broker's default" })
    .default(fallback)
    .describe(doc);

const choice = <const T extends readonly [string, ...string[]]>(values: T, fallback: T[number], doc: string) =>
  z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum(values, { error: `must be one of ${values.join(", ")}` }))
    .prefault(fallback)
    .describe(doc);

const list = (fallback: string, doc: string) =>
  z
    .string()
    .transform((value) =>
      value
        .split(",")
        .map((entry) => entry.trim())
        .filter((entry) => entry !== ""),
    )
    .prefault(fallback)
    .describe(doc);

const required = (doc: string) =>
  z.string({ error: "is required" }).trim().min(1, { error: "must not be empty" }).describe(doc);

const optional = (doc: string) => z.string().trim().nullable().default(null).describe(doc);

/** Kafka's limits for topic names (org.apache.kafka.common.internals.Topic). */
const topic = (doc: string) =>
  required(doc).regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/, {
    error: "must be a topic name: up to 249 letters, digits, '.', '_' and '-'",
  });

/** Keys of both modes (contract §6.1). */
const COMMON = {
  "bootstrap.servers": required("Kafka brokers to start from, host:port, comma separated.").prefault("localhost:9092"),
  "client.dns.lookup": text("How broker names are looked up.").default("use_all_dns_ips"),
  "key.converter": required("Converter of record keys; its own settings follow as key.converter.*."),
  "value.converter": required("Converter of record values; its own settings follow as value.converter.*."),
  "header.converter": text("Converter of record headers.").default(
    "org.apache.kafka.connect.storage.SimpleHeaderConverter",
  ),
  "task.shutdown.graceful.timeout.ms": int(
    5_000,
    "Time for all tasks that are being stopped together to end by themselves, ms.",
  ),
  "offset.flush.interval.ms": int(60_000, "Pause between offset commits of a task, ms.", 1),
  "offset.flush.timeout.ms": int(5_000, "Time for one offset commit, ms.", 1),
  "plugin.path": optional("Directories with plugin packages, comma separated. Placeholders are not resolved here."),
  "plugin.discovery": choice(
    ["only_scan", "hybrid_warn", "hybrid_fail", "service_load"],
    "hybrid_warn",
    "Accepted for compatibility; plugins are found by their package manifests.",
  ),
  "config.providers": list(
    "",
    "Names of configuration providers; each has config.providers.<name>.class and .param.*.",
  ),
  "connector.client.config.override.policy": text("Which client settings a connector may override.").default("All"),
  "connector.client.config.override.allowlist": list(
    "",
    "Client settings that connectors may override under the Allowlist policy.",
  ),
  listeners: list("http://:8083", "Addresses of the REST API, scheme://host:port; an empty host means all interfaces."),
  "rest.advertised.host.name": optional(
    "Host under which other workers reach this one; otherwise that of the first listener.",
  ),
  "rest.advertised.port": whole({ min: 1, max: 65_535 })
    .nullable()
    .default(null)
    .describe("Port under which other workers reach this one."),
  "rest.advertised.listener": optional("Scheme of the listener that other workers use: http or https."),
  "admin.listeners": optional("Addresses of the admin endpoints; not given: those of the REST API; empty: none."),
  "rest.extension.classes": text("REST extensions; BasicAuthSecurityRestExtension is the one that is known.").default(
    "",
  ),
  "access.control.allow.origin": text("Value of Access-Control-Allow-Origin; empty: no cross-origin headers.").default(
    "",
  ),
  "access.control.allow.methods": text("Methods that cross-origin requests may use.").default(""),
  "response.http.headers.config": text(
    "Response headers, [set|add|setDate|addDate] Name:Value, comma separated.",
  ).default(""),
  "ssl.client.auth": choice(["none", "requested", "required"], "none", "Whether REST clients need a certificate."),
  "metrics.num.samples": int(2, "Samples over which recent values of metrics are kept.", 1),
  "metrics.sample.window.ms": int(30_000, "Length of one such sample, ms.", 1),
  "metric.reporters": list("", "Accepted for compatibility; metrics are served as Prometheus text."),
  "metrics.recording.level": choice(["info", "debug"], "info", "Accepted for compatibility."),
  "topic.creation.enable": flag(true, "Whether source connectors may create topics with topic.creation.* settings."),
  "topic.tracking.enable": flag(true, "Whether the topics that a connector uses are recorded."),
  "topic.tracking.allow.reset": flag(true, "Whether the recorded topics of a connector may be reset."),
} as const;

/** Keys of distributed mode (contract §6.2). */
const DISTRIBUTED = {
  "group.id": required("Name of the Connect cluster's group."),
  "client.id": text("Prefix of this worker's client ids.").default(""),
  "session.timeout.ms": int(10_000, "A worker that was not heard of for so long is taken out of the group, ms.", 1),
  "heartbeat.interval.ms": int(3_000, "Pause between heartbeats, ms.", 1),
  "rebalance.timeout.ms": int(60_000, "Time for a worker to join once a rebalance has begun, ms.", 1),
  "exactly.once.source.support": choice(
    ["disabled", "preparing", "enabled"],
    "disabled",
    "Exactly-once delivery for source connectors.",
  ),
  "metadata.max.age.ms": int(300_000, "Age at which cluster metadata is fetched anew, ms."),
  "send.buffer.bytes": int(131_072, "Accepted for compatibility.", -1),
  "receive.buffer.bytes": int(32_768, "Accepted for compatibility.", -1),
  "reconnect.backoff.ms": int(50, "First pause before a new connection to a broker, ms."),
  "reconnect.backoff.max.ms": int(1_000, "Longest pause before a new connection to a broker, ms."),
  "socket.connection.setup.timeout.ms": int(10_000, "Time for a connection to a broker, ms."),
  "socket.connection.setup.timeout.max.ms": int(30_000, "Accepted for compatibility."),
  "retry.backoff.ms": int(100, "First pause before a failed request is repeated, ms."),
  "retry.backoff.max.ms": int(1_000, "Longest pause before a failed request is repeated, ms."),
  "request.timeout.ms": int(40_000, "Time for a request to a broker, ms.", 1),
  "connections.max.idle.ms": int(540_000, "Idle connections are closed after this time, ms."),
  "security.protocol": choice(
    ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"],
    "plaintext",
    "Protocol towards the brokers: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.",
  ),
  "metadata.recovery.strategy": choice(["none", "rebootstrap"], "rebootstrap", "Accepted for compatibility."),
  "metadata.recovery.rebootstrap.trigger.ms": int(300_000, "Accepted for compatibility."),
  "worker.sync.timeout.ms": int(3_000, "Time to catch up with the config topic after a rebalance, ms."),
  "worker.unsync.backoff.ms": int(
    300_000,
    "Eager protocol only: pause outside the group after that time was not enough, ms.",
  ),
  "offset.storage.topic": topic("Topic of the source offsets."),
  "offset.storage.partitions": countOrBroker(25, "Partitions of the offsets topic when it is created."),
  "offset.storage.replication.factor": countOrBroker(3, "Replicas of the offsets topic when it is created."),
  "config.storage.topic": topic("Topic of the connector configurations."),
  "config.storage.replication.factor": countOrBroker(3, "Replicas of the config topic when it is created."),
  "status.storage.topic": topic("Topic of the statuses."),
  "status.storage.partitions": countOrBroker(5, "Partitions of the status topic when it is created."),
  "status.storage.replication.factor": countOrBroker(3, "Replicas of the status topic when it is created."),
  "connect.protocol": choice(["eager", "compatible", "sessioned"], "sessioned", "Rebalance protocol."),
  "scheduled.rebalance.max.delay.ms": int(300_000, "How long the work of a lost worker waits for its return, ms."),
  "inter.worker.key.ttl.ms": int(3_600_000, "Age at which the key that signs internal requests is replaced, ms.", 1),
  "inter.worker.key.generation.algorithm": text("Algorithm of that key.").default("HmacSHA256"),
  "inter.worker.key.size": whole({ min: 1 })
    .nullable()
    .default(null)
    .describe("Size of that key in bits; not given: the algorithm's."),
  "inter.worker.signature.algorithm": text("Algorithm by which internal requests are signed.").default("HmacSHA256"),
  "inter.worker.verification.algorithms": list("HmacSHA256", "Algorithms that are accepted in internal requests."),
} as const;

/** Headrace's own keys. */
const HEADRACE = {
  "headrace.isolation": choice(
    ["shared", "connector", "task"],
    "shared",
    "What shares an executor process: everything, the parts of one connector, or nothing.",
  ),
  "headrace.executors.max": whole({ min: 1 })
    .nullable()
    .default(null)
    .describe("Most executor processes under shared isolation; not given: one per CPU."),
  "headrace.executor.idle.ms": int(60_000, "An executor without work ends after this time, ms."),
  "headrace.task.blocked.timeout.ms": int(
    30_000,
    "An executor whose event loop is blocked for longer is killed and its tasks are restarted, ms.",
    1_000,
  ),
  [EXECUTOR_MEMORY_KEY]: whole({ min: LEAST_EXECUTOR_MEMORY_MB })
    .nullable()
    .default(null)
    .describe(
      "An executor whose resident memory stays above this for two measurements is killed and its tasks are restarted, MiB; not given: no limit.",
    ),
  "headrace.shutdown.grace.ms": int(
    25_000,
    "Time for an orderly end after SIGTERM, ms; half of it to hand work over.",
    1_000,
  ),
  "headrace.request.timeout.ms": int(90_000, "Time for a REST request, ms.", 1_000),
  "headrace.metrics.listener": optional(
    "Address of metrics and health checks, http://host:port; not given: port 9404 of the first listener's host; empty or port 0: off.",
  ),
  "headrace.plugin.scan.interval.ms": int(
    10_000,
    "Pause between two looks at plugin.path for new packages, and first pause before a broken one is tried again, ms.",
    100,
  ),
  "headrace.plugin.load.timeout.ms": int(
    10_000,
    "Time for a package of plugins to be loaded; one that takes longer counts as broken, ms.",
    100,
  ),
  "headrace.rest.jaas.file": optional(
    "JAAS file whose entry KafkaConnect names the users of the REST API, for rest.extension.classes=BasicAuthSecurityRestExtension.",
  ),
  "headrace.rest.server.name": optional(
    "Name in the certificates of all workers: other workers are verified by it, whatever address they are reached at.",
  ),
  "headrace.rest.authentication": choice(
    ["none", "required"],
    "none",
    "required: each REST request needs a client certificate that the truststore knows, which may do everything, or a bearer token with a role.",
  ),
  "headrace.rest.tokens.dir": optional(
    "Directory of bearer tokens: one token per file, in a folder read (GET and HEAD only) or admin (everything). Changes are taken up.",
  ),
  "headrace.rest.reload.interval.ms": int(
    5_000,
    "Pause between two looks at the files of REST: keystore, truststore, tokens. A change is taken up without a restart, ms.",
    100,
  ),
  "headrace.sasl.oauthbearer.allowed.urls": list(
    "",
    "Token endpoints that connectors may name in their overrides, besides those of the worker's own settings; https, http or file URLs, comma separated.",
  ),
  "headrace.log.level": choice(["error", "warn", "info", "debug"], "info", "Least severity that is logged."),
} as const;

/** Configuration of a worker in distributed mode; input and output keys are those of the properties file. */
export const WorkerConfig = z.object({ ...COMMON, ...DISTRIBUTED, ...HEADRACE }).superRefine((config, context) => {
  const issue = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
  if (config["session.timeout.ms"] <= config["heartbeat.interval.ms"]) {
    issue("heartbeat.interval.ms", "must be less than session.timeout.ms");
  }
  if (!config["inter.worker.verification.algorithms"].includes(config["inter.worker.signature.algorithm"])) {
    issue("inter.worker.verification.algorithms", "must contain inter.worker.signature.algorithm");
  }
  if (config.listeners.length === 0) issue("listeners", "must name at least one listener");
  const topics = ["offset.storage.topic", "config.storage.topic", "status.storage.topic"] as const;
  for (const [index, key] of topics.entries()) {
    const twin = topics.slice(0, index).find((other) => config[other] === config[key]);
    if (twin !== undefined) issue(key, `must differ from ${twin}`);
  }
});
export type WorkerConfig = z.infer<typeof WorkerConfig>;

/** One thing that is wrong with a worker's configuration. */
export interface ConfigProblem {
  readonly key: string;
  /** As given; null if the key is missing. */
  readonly value: string | null;
  /** What would be right, as the rest of a sentence that begins with the key. */
  readonly expected: string;
}

export type ParsedWorkerConfig =
  | { readonly kind: "valid"; readonly config: WorkerConfig }
  | { readonly kind: "invalid"; readonly problems: readonly ConfigProblem[] };

/** Checks a worker's properties (placeholders resolved) and names every problem, not only the first. */
export function parseWorkerConfig(properties: Readonly<Record<string, string>>): ParsedWorkerConfig {
  const result = WorkerConfig.safeParse(properties);
  if (result.success) return { kind: "valid", config: result.data };
  const problems = result.error.issues.map((issue) => {
    const key = issue.path.map(String).join(".");
    return { key, value: properties[key] ?? null, expected: issue.message };
  });
  return { kind: "invalid", problems };
}
