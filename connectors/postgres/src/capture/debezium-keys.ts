/** A key of Debezium's that this connector does not follow: what may stand there all the same, as it is what happens anyway. */
interface RefusedKey {
  readonly may: RegExp;
  /** What to do instead. */
  readonly instead: string;
}

const ABSENT = /^$/;
const FALSE = /^(false)?$/i;
const ZERO = /^0*$/;

/** Keys that would change what is captured, and cannot be had. */
const REFUSED: Readonly<Record<string, RefusedKey>> = {
  converters: { may: ABSENT, instead: "columns are converted by the connector's own rules; use a transform" },
  "post.processors": { may: ABSENT, instead: "use a transform" },
  "column.propagate.source.type": { may: ABSENT, instead: "types of columns are not in the schemas" },
  "datatype.propagate.source.type": { may: ABSENT, instead: "types of columns are not in the schemas" },
  "custom.sanitize.pattern": { may: ABSENT, instead: "topic names have letters, digits, dots, dashes and underscores" },
  "database.sslpassword": { may: ABSENT, instead: "give a key without a passphrase" },
  "database.sslfactory": { may: ABSENT, instead: "there is no JDBC driver: use database.sslmode and its files" },
  "event.processing.failure.handling.mode": { may: /^(fail)?$/i, instead: "use errors.tolerance" },
  "event.converting.failure.handling.mode": { may: /^(fail)?$/i, instead: "use errors.tolerance" },
  "field.name.adjustment.mode": { may: /^(none)?$/i, instead: "fields have the names of the columns" },
  "schema.name.adjustment.mode": { may: /^(none)?$/i, instead: "schemas are named as topics are" },
  "sanitize.field.names": { may: FALSE, instead: "fields have the names of the columns" },
  "flush.lsn.source": { may: /^(true)?$/i, instead: "the slot is moved once Kafka has the records" },
  "lsn.flush.mode": { may: /^(connector)?$/i, instead: "the slot is moved once Kafka has the records" },
  "money.fraction.digits": { may: /^2?$/, instead: "MONEY has two places" },
  "notification.enabled.channels": { may: ABSENT, instead: "the worker's log tells of snapshots" },
  "openlineage.integration.enabled": { may: FALSE, instead: "leave it out" },
  "read.only": { may: /^(true|false)?$/i, instead: "true or false: the connector writes nothing either way" },
  "signal.enabled.channels": {
    may: /^(\s*(source|kafka)\s*(,|$))*$/i,
    instead: "signals are rows of signal.data.collection (channel source)",
  },
  "signal.kafka.topic": { may: ABSENT, instead: "signals are rows of signal.data.collection (channel source)" },
  "slot.drop.on.stop": {
    may: FALSE,
    instead: "it would lose changes: drop the slot once the connector is gone for good",
  },
  "slot.failover": { may: FALSE, instead: "create the slot beforehand, with failover" },
  "slot.stream.params": { may: ABSENT, instead: "leave it out" },
  "snapshot.query.mode": { may: /^(select_all)?$/i, instead: "use snapshot.select.statement.overrides" },
  "sourceinfo.struct.maker": {
    may: /PostgresSourceInfoStructMaker$|^$/,
    instead: "the block source is Debezium's own",
  },
  "topic.naming.strategy": {
    may: /^(io\.debezium\.schema\.SchemaTopicNamingStrategy)?$/,
    instead: "use the transform RegexRouter",
  },
  "transaction.metadata.factory": { may: /DefaultTransactionMetadataFactory$|^$/, instead: "leave it out" },
  "xmin.fetch.interval.ms": { may: ZERO, instead: "xmin is null in all events" },
};

/** Keys that only say how Debezium goes about it, and why they make no difference here. */
const IDLE: Readonly<Record<string, string>> = {
  ...reasons("memory is bounded by max.batch.size", [
    "max.queue.size",
    "max.queue.size.in.bytes",
    "queue.provider.type",
  ]),
  ...reasons("rows are read max.batch.size at a time", ["snapshot.fetch.size", "query.fetch.size"]),
  ...reasons("a database that is away is waited for, as long as it takes", [
    "errors.max.retries",
    "retriable.restart.connector.wait.ms",
    "slot.max.retries",
    "slot.retry.delay.ms",
    "database.query.timeout.ms",
    "connection.validation.timeout.ms",
  ]),
  ...reasons("tables are read in one REPEATABLE READ snapshot, without locks", [
    "snapshot.isolation.mode",
    "snapshot.locking.mode",
    "snapshot.lock.timeout.ms",
  ]),
  ...reasons("nothing waits before it begins", ["snapshot.delay.ms", "streaming.delay.ms"]),
  ...reasons("the connector writes no watermarks", ["incremental.snapshot.watermarking.strategy"]),
  ...reasons("columns of unknown types are text", ["include.unknown.datatypes"]),
  ...reasons(
    "a slot that does not fit the offset fails the task, or tables are read anew with snapshot.mode=when_needed",
    ["offset.mismatch.strategy", "slot.seek.to.known.offset.on.start"],
  ),
  ...reasons("connections are kept alive", ["database.tcpKeepAlive"]),
  ...reasons("it has no counterpart here", [
    "custom.metric.tags",
    "database.connection.factory.class",
    "executor.shutdown.timeout.ms",
    "extended.headers.enabled",
    "guardrail.collections.limit.action",
    "guardrail.collections.max",
    "include.schema.comments",
    "legacy.snapshot.max.threads",
    "lsn.flush.timeout.action",
    "lsn.flush.timeout.ms",
    "poll.dispatch.interval.ms",
    "schema.refresh.mode",
    "signal.poll.interval.ms",
    "snapshot.max.threads.multiplier",
    "snapshot.tables.order.by.row.count",
    "statistics.metrics.enabled",
    "topic.cache.size",
  ]),
};

function reasons(reason: string, keys: readonly string[]): Record<string, string> {
  return Object.fromEntries(keys.map((key) => [key, reason]));
}

/** Keys of a connector for PostgreSQL begin so, whether or not there are such. */
const OWN =
  /^(binary|column|custom|database|datatype|decimal|driver|heartbeat|hstore|incremental|interval|max|message|money|notification|openlineage|plugin|poll|provide|publication|publish|replica|schema|signal|skip|skipped|slot|snapshot|status|table|time|tombstones?|unavailable)\.|^topic\.(?!creation\.)/;

/** A key that is not followed. */
export interface UnusedKey {
  readonly key: string;
  readonly reason: string;
}

/** Keys that ask for what cannot be had. */
export function refusedKeys(given: Readonly<Record<string, unknown>>): readonly UnusedKey[] {
  return Object.entries(REFUSED).flatMap(([key, { may, instead }]) => {
    const value = given[key];
    if (typeof value !== "string" || may.test(value.trim())) return [];
    return [{ key, reason: `${key}=${value.trim()} is not supported: ${instead}` }];
  });
}

/** Keys that are given and have no effect; `known` says which have. */
export function idleKeys(
  given: Readonly<Record<string, unknown>>,
  known: (key: string) => boolean,
): readonly UnusedKey[] {
  return Object.keys(given).flatMap((key) => {
    if (known(key) || REFUSED[key] !== undefined) return [];
    const reason = IDLE[key] ?? (OWN.test(key) ? "there is no such key" : undefined);
    return reason === undefined ? [] : [{ key, reason }];
  });
}
