/**
 * The table of Java's client properties (org.apache.kafka.clients.*Config): what each is called in librdkafka and in our kafkajs
 * settings. Security properties have a file of their own, `client-security.ts`.
 */
export interface ClientProperty {
  /** librdkafka's property for producers; null: it has none. */
  readonly producer: Target | null;
  /** librdkafka's property for consumers; null: it has none. */
  readonly consumer: Target | null;
  /** Our setting for kafkajs; null: it has none. */
  readonly kafkajs:
    | "brokers"
    | "clientId"
    | "connectionTimeoutMs"
    | "requestTimeoutMs"
    | "retryBackoffMs"
    | "retryBackoffMaxMs"
    | null;
  /** Without effect and without harm: no warning. */
  readonly silent?: boolean;
}

export interface Target {
  readonly name: string;
  /** librdkafka's limits; a value beyond them is cut to them, with a warning. */
  readonly range?: readonly [min: number, max: number];
  /** Java's value → librdkafka's; undefined: it has none. Not given: as it is. */
  readonly convert?: (value: string) => string | undefined;
}

const INT_MAX = 2_147_483_647;

const same = (name: string, range?: readonly [number, number]): Target =>
  range === undefined ? { name } : { name, range };

const both = (
  name: string,
  target: Target,
  kafkajs: ClientProperty["kafkajs"] = null,
): Record<string, ClientProperty> => ({
  [name]: { producer: target, consumer: target, kafkajs },
});

const producer = (name: string, target: Target): Record<string, ClientProperty> => ({
  [name]: { producer: target, consumer: null, kafkajs: null },
});

const consumer = (name: string, target: Target): Record<string, ClientProperty> => ({
  [name]: { producer: null, consumer: target, kafkajs: null },
});

const silent = (...names: string[]): Record<string, ClientProperty> =>
  Object.fromEntries(names.map((name) => [name, { producer: null, consumer: null, kafkajs: null, silent: true }]));

/** -1 is Java's "operating system's default" or "never"; librdkafka says 0. */
const minusOneIsZero = (value: string) => (Number(value) === -1 ? "0" : value);
const lower = (value: string) => value.trim().toLowerCase();

const ASSIGNORS: Readonly<Record<string, string>> = {
  RangeAssignor: "range",
  RoundRobinAssignor: "roundrobin",
  CooperativeStickyAssignor: "cooperative-sticky",
};

/** Class names in Java, short names in librdkafka; eager and cooperative ones cannot stand together there: the first kind wins. */
function convertAssignors(value: string): string | undefined {
  const names = value.split(",").flatMap((name) => ASSIGNORS[name.trim().split(".").at(-1) ?? ""] ?? []);
  const cooperative = names[0] === "cooperative-sticky";
  const compatible = names.filter((name) => (name === "cooperative-sticky") === cooperative);
  return compatible.length === 0 ? undefined : compatible.join(",");
}

const RESETS: Readonly<Record<string, string>> = { earliest: "earliest", latest: "latest", none: "error" };

/** Java's property name → its counterparts. A property that is not here is unknown. */
export const CLIENT_PROPERTIES: Readonly<Record<string, ClientProperty>> = {
  ...both("bootstrap.servers", same("bootstrap.servers"), "brokers"),
  ...both("client.id", same("client.id"), "clientId"),
  ...both("client.dns.lookup", same("client.dns.lookup")),
  ...both("client.rack", same("client.rack")),
  ...both("connections.max.idle.ms", { ...same("connections.max.idle.ms", [0, INT_MAX]), convert: minusOneIsZero }),
  ...both("metadata.max.age.ms", same("topic.metadata.refresh.interval.ms", [1, 3_600_000])),
  ...both("metadata.recovery.strategy", { name: "metadata.recovery.strategy", convert: lower }),
  ...both("metadata.recovery.rebootstrap.trigger.ms", same("metadata.recovery.rebootstrap.trigger.ms", [0, INT_MAX])),
  ...both("reconnect.backoff.ms", same("reconnect.backoff.ms", [0, 3_600_000])),
  ...both("reconnect.backoff.max.ms", same("reconnect.backoff.max.ms", [0, 3_600_000])),
  ...both("retry.backoff.ms", same("retry.backoff.ms", [1, 300_000]), "retryBackoffMs"),
  ...both("retry.backoff.max.ms", same("retry.backoff.max.ms", [1, 300_000]), "retryBackoffMaxMs"),
  ...both(
    "socket.connection.setup.timeout.ms",
    same("socket.connection.setup.timeout.ms", [1_000, INT_MAX]),
    "connectionTimeoutMs",
  ),
  ...both("send.buffer.bytes", { ...same("socket.send.buffer.bytes", [0, 100_000_000]), convert: minusOneIsZero }),
  ...both("receive.buffer.bytes", {
    ...same("socket.receive.buffer.bytes", [0, 100_000_000]),
    convert: minusOneIsZero,
  }),
  ...both("enable.metrics.push", { name: "enable.metrics.push", convert: lower }),
  "request.timeout.ms": {
    producer: same("request.timeout.ms", [1, 900_000]),
    consumer: same("socket.timeout.ms", [10, 300_000]),
    kafkajs: "requestTimeoutMs",
  },

  ...producer("acks", { name: "acks", convert: lower }),
  ...producer("batch.size", same("batch.size", [1, INT_MAX])),
  ...producer("linger.ms", same("linger.ms", [0, 900_000])),
  ...producer("compression.type", { name: "compression.type", convert: lower }),
  ...producer("buffer.memory", {
    name: "queue.buffering.max.kbytes",
    range: [1, INT_MAX],
    convert: (value) => String(Math.ceil(Number(value) / 1024)),
  }),
  ...producer("max.request.size", same("message.max.bytes", [1_000, 1_000_000_000])),
  ...producer("delivery.timeout.ms", {
    name: "message.timeout.ms",
    convert: (value) => (Number(value) >= INT_MAX ? "0" : value),
  }),
  ...producer("max.in.flight.requests.per.connection", same("max.in.flight.requests.per.connection", [1, 1_000_000])),
  ...producer("retries", same("retries", [0, INT_MAX])),
  ...producer("enable.idempotence", { name: "enable.idempotence", convert: lower }),
  ...producer("transactional.id", same("transactional.id")),
  ...producer("transaction.timeout.ms", same("transaction.timeout.ms", [1_000, INT_MAX])),
  ...producer("partitioner.ignore.keys", {
    name: "partitioner",
    convert: (value) => (lower(value) === "true" ? "random" : "murmur2_random"),
  }),

  ...consumer("group.id", same("group.id")),
  ...consumer("group.instance.id", same("group.instance.id")),
  ...consumer("group.protocol", { name: "group.protocol", convert: lower }),
  ...consumer("group.remote.assignor", same("group.remote.assignor")),
  ...consumer("partition.assignment.strategy", { name: "partition.assignment.strategy", convert: convertAssignors }),
  ...consumer("session.timeout.ms", same("session.timeout.ms", [1, 3_600_000])),
  ...consumer("heartbeat.interval.ms", same("heartbeat.interval.ms", [1, 3_600_000])),
  ...consumer("max.poll.interval.ms", same("max.poll.interval.ms", [1, 86_400_000])),
  ...consumer("auto.offset.reset", { name: "auto.offset.reset", convert: (value) => RESETS[lower(value)] }),
  ...consumer("isolation.level", { name: "isolation.level", convert: lower }),
  ...consumer("fetch.min.bytes", same("fetch.min.bytes", [1, 100_000_000])),
  ...consumer("fetch.max.bytes", same("fetch.max.bytes", [0, 2_147_483_135])),
  ...consumer("fetch.max.wait.ms", same("fetch.wait.max.ms", [0, 300_000])),
  ...consumer("max.partition.fetch.bytes", same("max.partition.fetch.bytes", [1, 1_000_000_000])),
  ...consumer("check.crcs", { name: "check.crcs", convert: lower }),
  ...consumer("allow.auto.create.topics", { name: "allow.auto.create.topics", convert: lower }),

  ...silent(
    "max.block.ms", // A full queue is waited for without end.
    "max.poll.records", // The task bounds its own batches.
    "default.api.timeout.ms",
    "socket.connection.setup.timeout.max.ms",
    "auto.include.jmx.reporter",
    "metrics.num.samples",
    "metrics.sample.window.ms",
    "metrics.recording.level",
    "metadata.max.idle.ms",
    "exclude.internal.topics",
  ),
};
