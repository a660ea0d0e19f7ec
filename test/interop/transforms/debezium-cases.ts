import type { Case, Encoded, EncodedData, EncodedRecord } from "./cases.ts";
import type { JsonValue, Random } from "./random.ts";

type JsonSchema = { readonly [member: string]: JsonValue };

/** A column or member, its schema in JSON and how a value of it is made. */
interface Member {
  readonly name: string;
  readonly schema: JsonSchema;
  make(random: Random): Encoded;
}

const text = (random: Random, words: readonly string[]): Encoded => ({ s: random.pick(words) });

function member(name: string, type: string, make: (random: Random) => Encoded, more: JsonSchema = {}): Member {
  const schema = { type, optional: false, ...more };
  return { name, schema, make: (random) => (schema.optional === true && random.chance(0.2) ? null : make(random)) };
}

function structOf(random: Random, name: string, members: readonly Member[], optional: boolean) {
  const fields = members.map((each) => ({ ...each.schema, field: each.name }));
  return {
    schema: { type: "struct", optional, name, fields } satisfies JsonSchema,
    value: { st: members.map((each) => each.make(random)) } satisfies Encoded,
  };
}

const SOURCE = [
  member("version", "string", () => ({ s: "3.4.0" })),
  member("lsn", "int64", (random) => ({ i64: String(random.int(1e9)) }), { optional: true }),
  member("ts_ms", "int64", (random) => ({ i64: String(random.int(1e9)) })),
  member("table", "string", () => ({ s: "t" })),
];
const TRANSACTION = [
  member("id", "string", (random) => text(random, ["7:8", "9"])),
  member("total_order", "int64", (random) => ({ i64: String(random.int(99)) })),
];

/** The change of a row, in Debezium's envelope. */
function changeEvent(
  random: Random,
  columns: readonly Member[],
  operation: string,
  sourceFields: readonly Member[] = SOURCE,
  transactionFields: readonly Member[] = TRANSACTION,
): EncodedData {
  const row = () => structOf(random, "server.public.t.Value", columns, true);
  const [before, after] = [row(), row()];
  const has = { before: operation === "d" || operation === "u", after: operation !== "d" && operation !== "t" };
  const source = structOf(random, "io.debezium.connector.postgresql.Source", sourceFields, false);
  const transaction = structOf(random, "event.block", transactionFields, true);
  const members: readonly (readonly [string, JsonSchema, Encoded])[] = [
    ["before", before.schema, has.before ? before.value : null],
    ["after", after.schema, has.after ? after.value : null],
    ["source", source.schema, source.value],
    ["op", { type: "string", optional: false }, { s: operation }],
    ["ts_ms", { type: "int64", optional: true }, { i64: String(random.int(1e9)) }],
    ["transaction", transaction.schema, random.chance(0.5) ? transaction.value : null],
  ];
  const fields = members.map(([field, schema]) => ({ ...schema, field }));
  return {
    schema: { type: "struct", optional: false, name: "server.public.t.Envelope", version: 1, fields },
    value: { st: members.map(([, , value]) => value) },
  };
}

function record(random: Random, value: EncodedData, dropped: readonly string[] | null): EncodedRecord {
  const key = structOf(
    random,
    "server.public.t.Key",
    [member("id", "int32", () => ({ i32: 1 })), member("name", "string", () => ({ s: "k" }), { optional: true })],
    false,
  );
  const headers =
    dropped === null ? [] : [{ key: "drop", schema: null, value: { a: dropped.map((name) => ({ s: name })) } }];
  const fromSink = random.chance(0.5);
  return {
    topic: "server.public.t",
    partition: fromSink || random.chance(0.5) ? 1 : null,
    offset: fromSink ? 5 : null,
    timestamp: random.chance(0.2) ? null : 1_700_000_000_000,
    key,
    value,
    headers,
  };
}

const NOTHING: EncodedData = { schema: null, value: null };
const OTHER: EncodedData = { schema: { type: "string", optional: false }, value: { s: "heartbeat" } };

function value(random: Random, columns: readonly Member[]): EncodedData {
  if (random.chance(0.1)) return NOTHING;
  if (random.chance(0.05)) return OTHER;
  return changeEvent(random, columns, random.pick(["c", "u", "d", "r", "t"]));
}

const COLUMNS = [
  member("id", "int32", (random) => ({ i32: random.int(100) })),
  member("name", "string", (random) => text(random, ["a", "", "orders"]), { optional: true }),
  member("note", "string", (random) => text(random, ["x"]), { optional: true, default: "none" }),
  member("kind", "string", (random) => text(random, ["a", "b", " "])),
];
const REFERENCES = [
  "op",
  "ts_ms",
  "lsn",
  "source.ts_ms",
  "table:tab",
  "id",
  "transaction.total_order:order",
  "missing",
  "version",
];

const references = (random: Random) => [...new Set(random.list(3, () => random.pick(REFERENCES)))].join(",");

/** ExtractNewRecordState with a configuration of its own, and records for it. */
export function extractionCase(random: Random): Case {
  const config: Record<string, string> = { "add.fields": references(random), "add.headers": references(random) };
  const modes = ["drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone"];
  if (random.chance(0.9)) config["delete.tombstone.handling.mode"] = random.pick(modes);
  if (random.chance(0.3)) config["route.by.field"] = random.pick(["name", "kind", "id", "missing"]);
  if (random.chance(0.2)) config["add.fields.prefix"] = random.pick(["", "_x_"]);
  if (random.chance(0.2)) config["add.headers.prefix"] = "h.";
  if (random.chance(0.3)) config["replace.null.with.default"] = "false";
  const drops = random.chance(0.3);
  if (drops) {
    config["drop.fields.header.name"] = "drop";
    config["drop.fields.from.key"] = String(random.chance(0.5));
    config["drop.fields.keep.schema.compatible"] = String(random.chance(0.5));
  }
  const dropped = () =>
    drops && random.chance(0.8) ? random.list(3, () => random.pick(["name", "note", "kind", "none"])) : null;
  const inputs = Array.from({ length: 4 }, () => record(random, value(random, COLUMNS), dropped()));
  return { kind: "transform", class: "io.debezium.transforms.ExtractNewRecordState", config, inputs };
}

const PAYLOADS = [
  '{"a":1,"b":"x","c":null,"d":[1,2],"e":{"f":true,"g":1.5},"h":[],"i":[{"j":1},{"j":2}],"l":12345678901}',
  "{}",
  "",
  "  ",
  "plain",
  "{broken",
];

const OUTBOX = [
  member("id", "string", (random) => text(random, ["e1", "e2"])),
  member("aggregatetype", "string", (random) => text(random, ["order", "customer"])),
  member("aggregateid", "string", (random) => text(random, ["k1", "k2"])),
  member("type", "string", (random) => text(random, ["created", "paid"])),
  member("payload", "string", (random) => text(random, PAYLOADS), { optional: true }),
  member("created", "int64", (random) => ({ i64: String(1_700_000_000_000_000 + random.int(1e6)) }), {
    name: "io.debezium.time.MicroTimestamp",
    version: 1,
    optional: true,
  }),
  member("schemaversion", "int32", (random) => ({ i32: 1 + random.int(2) })),
  member("part", "int32", (random) => ({ i32: random.int(3) }), { optional: true }),
];
const PLACEMENTS = [
  "type:header",
  "type:header:eventType",
  "type:envelope",
  "created:envelope:at",
  "part:partition",
  "missing:header",
  "part:header",
];

/** The outbox's EventRouter with a configuration of its own, and records for it. */
export function routingCase(random: Random): Case {
  const config: Record<string, string> = {};
  const placements = [...new Set(random.list(3, () => random.pick(PLACEMENTS)))];
  if (placements.length > 0) config["table.fields.additional.placement"] = placements.join(",");
  if (random.chance(0.5)) config["table.fields.additional.error.on.missing"] = "false";
  if (random.chance(0.3)) config["table.field.event.timestamp"] = random.pick(["created", "missing", "part"]);
  if (random.chance(0.3)) config["table.field.event.key"] = random.pick(["type", "part", "missing"]);
  if (random.chance(0.2)) config["table.field.event.schema.version"] = "schemaversion";
  if (random.chance(0.1)) config["table.field.event.payload"] = random.pick(["type", "missing"]);
  if (random.chance(0.1)) config["table.field.event.id"] = random.pick(["type", "missing"]);
  if (random.chance(0.2)) config["route.by.field"] = random.pick(["type", "part"]);
  if (random.chance(0.2)) config["route.topic.replacement"] = random.pick([`\${routedByValue}.events`, "x", "$1-y"]);
  if (random.chance(0.1)) config["route.topic.regex"] = "(ord.*)";
  if (random.chance(0.4)) config["route.tombstone.on.empty.payload"] = "true";
  if (random.chance(0.4)) config["table.expand.json.payload"] = "true";
  if (random.chance(0.2)) config["table.json.payload.null.behavior"] = "optional_bytes";
  if (random.chance(0.2)) config["table.op.invalid.behavior"] = random.pick(["warn", "error", "fatal"]);
  // A sink's record cannot do without a partition in Java.
  const inputs = Array.from({ length: 4 }, () => ({ ...record(random, value(random, OUTBOX), null), offset: null }));
  return { kind: "transform", class: "io.debezium.transforms.outbox.EventRouter", config, inputs };
}

const POSTGRES_SOURCE = [
  member("version", "string", () => ({ s: "3.4.0" })),
  member("connector", "string", (random) => text(random, ["postgresql", "postgresql", "postgresql", "unknown"])),
  member("name", "string", (random) => text(random, ["server", "my-server 1"])),
  member("ts_ms", "int64", (random) => ({ i64: String(random.pick([0, 1_700_000_000_123, 253_402_300_799_999])) })),
  member("snapshot", "string", (random) => text(random, ["true", "last"]), { optional: true, default: "false" }),
  member("db", "string", (random) => text(random, ["shop", "9x", "a.b-c"])),
  member("sequence", "string", (random) => text(random, ['["1","2"]']), { optional: true }),
  member("schema", "string", () => ({ s: "public" })),
  member("txId", "int64", (random) => ({ i64: String(random.int(1e9)) }), { optional: true }),
  member("lsn", "int64", (random) => ({ i64: String(random.int(1e9)) }), { optional: true }),
  member("xmin", "int64", () => ({ i64: "-9223372036854775808" }), { optional: true }),
  member("size", "int32", (random) => ({ i32: random.int(9) }), { optional: true }),
  member("done", "boolean", (random) => ({ b: random.chance(0.5) }), { optional: true }),
];
const ROW = [
  ...COLUMNS,
  member("count", "int64", () => ({ i64: "9007199254740993" })),
  member("ratio", "double", (random) => ({ f64: random.pick(["0.1", "1.0", "-2.5"]) })),
  member("data", "bytes", () => ({ y: "AP8=" }), { optional: true }),
  member("price", "bytes", (random) => ({ dec: random.pick(["12345678901234567890", "-5"]) }), {
    name: "org.apache.kafka.connect.data.Decimal",
    version: 1,
    parameters: { scale: "2" },
  }),
];
const TRANSACTION_BLOCK = [
  ...TRANSACTION,
  member("data_collection_order", "int64", (random) => ({ i64: String(random.int(99)) })),
];

/** The change of a row with all that an event of PostgreSQL has in its source, or that of a connector that nobody knows. */
export function postgresEvent(random: Random): EncodedData {
  return changeEvent(random, ROW, random.pick(["c", "u", "d", "r"]), POSTGRES_SOURCE, TRANSACTION_BLOCK);
}

/** Debezium's CloudEventsConverter with a configuration of its own, and values for it. */
export function cloudEventsCase(random: Random): Case {
  const config: Record<string, string> = {};
  if (random.chance(0.5)) config["json.schemas.enable"] = String(random.chance(0.5));
  if (random.chance(0.3)) config["extension.attributes.enable"] = "false";
  if (random.chance(0.2)) config["schema.cloudevents.name"] = "my-events";
  if (random.chance(0.2)) config["schema.name.adjustment.mode"] = "none";
  if (random.chance(0.3)) config["json.decimal.format"] = "NUMERIC";
  if (random.chance(0.3)) config["json.replace.null.with.default"] = "false";
  const inputs = Array.from({ length: 4 }, () => {
    if (random.chance(0.1)) return random.pick([NOTHING, structOf(random, "server.Heartbeat", TRANSACTION, false)]);
    return postgresEvent(random);
  });
  return {
    kind: "converter",
    class: "io.debezium.converters.CloudEventsConverter",
    config,
    direction: "encode",
    inputs,
  };
}
