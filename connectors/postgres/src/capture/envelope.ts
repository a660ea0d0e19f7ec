import {
  INT64_SCHEMA,
  OPTIONAL_STRING_SCHEMA,
  optional,
  type Schema,
  STRING_SCHEMA,
  structSchema,
  type Value,
  withAttributes,
} from "@headrace/sdk";

/** Source of all schemas here: what Debezium 3.4 writes. */

const OPTIONAL_INT64 = optional(INT64_SCHEMA);

const SNAPSHOT_SCHEMA: Schema = {
  type: "STRING",
  optional: true,
  name: "io.debezium.data.Enum",
  version: 1,
  parameters: { allowed: "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental" },
  default: "false",
};

const SOURCE_SCHEMA = withAttributes(
  structSchema(
    {
      version: STRING_SCHEMA,
      connector: STRING_SCHEMA,
      name: STRING_SCHEMA,
      ts_ms: INT64_SCHEMA,
      snapshot: SNAPSHOT_SCHEMA,
      db: STRING_SCHEMA,
      sequence: OPTIONAL_STRING_SCHEMA,
      ts_us: OPTIONAL_INT64,
      ts_ns: OPTIONAL_INT64,
      schema: STRING_SCHEMA,
      table: STRING_SCHEMA,
      txId: OPTIONAL_INT64,
      lsn: OPTIONAL_INT64,
      xmin: OPTIONAL_INT64,
    },
    "io.debezium.connector.postgresql.Source",
  ),
  { version: 1 },
);

const BLOCK_SCHEMA = withAttributes(
  structSchema({ id: STRING_SCHEMA, total_order: INT64_SCHEMA, data_collection_order: INT64_SCHEMA }, "event.block"),
  { version: 1, optional: true },
);

/** The envelope of a table's changes; `name` is that of its schemas, without an end. */
export function envelopeSchema(name: string, value: Schema): Schema {
  const fields = {
    before: value,
    after: value,
    source: SOURCE_SCHEMA,
    transaction: BLOCK_SCHEMA,
    op: STRING_SCHEMA,
    ts_ms: OPTIONAL_INT64,
    ts_us: OPTIONAL_INT64,
    ts_ns: OPTIONAL_INT64,
  };
  return withAttributes(structSchema(fields, `${name}.Envelope`), { version: 2 });
}

export const HEARTBEAT_KEY_SCHEMA = withAttributes(
  structSchema({ serverName: STRING_SCHEMA }, "io.debezium.connector.common.ServerNameKey"),
  { version: 1 },
);
export const HEARTBEAT_SCHEMA = withAttributes(
  structSchema({ ts_ms: INT64_SCHEMA }, "io.debezium.connector.common.Heartbeat"),
  { version: 1 },
);

export const TRANSACTION_KEY_SCHEMA = withAttributes(
  structSchema({ id: STRING_SCHEMA }, "io.debezium.connector.common.TransactionMetadataKey"),
  { version: 1 },
);
const COLLECTION_SCHEMA = withAttributes(
  structSchema({ data_collection: STRING_SCHEMA, event_count: INT64_SCHEMA }, "event.collection"),
  { version: 1, optional: true },
);
export const TRANSACTION_SCHEMA = withAttributes(
  structSchema(
    {
      status: STRING_SCHEMA,
      id: STRING_SCHEMA,
      event_count: OPTIONAL_INT64,
      data_collections: { type: "ARRAY", optional: true, valueSchema: COLLECTION_SCHEMA },
      ts_ms: INT64_SCHEMA,
    },
    "io.debezium.connector.common.TransactionMetadataValue",
  ),
  { version: 1 },
);

export const MESSAGE_KEY_SCHEMA = withAttributes(
  structSchema({ prefix: OPTIONAL_STRING_SCHEMA }, "io.debezium.connector.postgresql.MessageKey"),
  { version: 1 },
);

/** The value of a logical message; `content` is the schema of what it carries. */
export function messageSchema(content: Schema): Schema {
  const block = withAttributes(
    structSchema(
      { prefix: OPTIONAL_STRING_SCHEMA, content: optional(content) },
      "io.debezium.connector.postgresql.Message",
    ),
    { version: 1 },
  );
  const fields = {
    op: STRING_SCHEMA,
    ts_ms: OPTIONAL_INT64,
    source: SOURCE_SCHEMA,
    transaction: BLOCK_SCHEMA,
    message: block,
  };
  return withAttributes(structSchema(fields, "io.debezium.connector.postgresql.MessageValue"), { version: 1 });
}

/** Where and when a change happened. */
export interface ChangeSource {
  readonly prefix: string;
  readonly database: string;
  readonly schema: string;
  readonly table: string;
  readonly snapshot:
    | "true"
    | "first"
    | "first_in_data_collection"
    | "last_in_data_collection"
    | "last"
    | "incremental"
    | "false";
  /** Of the commit, or of the snapshot; microseconds since the epoch. */
  readonly micros: bigint;
  readonly xid: number | null;
  readonly lsn: bigint;
  /** End of the last transaction before it. */
  readonly lastCommit: bigint | null;
}

/** The block `source` of an event. */
export function sourceBlock(source: ChangeSource): Value {
  const last = source.lastCommit === null ? "null" : `"${source.lastCommit}"`;
  return {
    version: "0.1.0",
    connector: "postgresql",
    name: source.prefix,
    ts_ms: source.micros / 1_000n,
    snapshot: source.snapshot,
    db: source.database,
    sequence: `[${last},"${source.lsn}"]`,
    ts_us: source.micros,
    ts_ns: source.micros * 1_000n,
    schema: source.schema,
    table: source.table,
    txId: source.xid === null ? null : BigInt(source.xid),
    lsn: source.lsn,
    xmin: null,
  };
}

export type Operation = "c" | "u" | "d" | "r" | "t";

/** The value of a change event. `now` is in milliseconds since the epoch. */
export function envelope(parts: {
  readonly before: Value;
  readonly after: Value;
  readonly source: ChangeSource;
  readonly transaction: Value;
  readonly op: Operation;
  readonly now: number;
}): Value {
  const now = BigInt(parts.now);
  return {
    before: parts.before,
    after: parts.after,
    source: sourceBlock(parts.source),
    transaction: parts.transaction,
    op: parts.op,
    ts_ms: now,
    ts_us: now * 1_000n,
    ts_ns: now * 1_000_000n,
  };
}
