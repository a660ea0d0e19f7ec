import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ConnectRecord,
  DATE_NAME,
  type Header,
  INT32_SCHEMA,
  INT64_SCHEMA,
  mapSchema,
  NULL_VALUE,
  optional,
  type Schema,
  type SchemaAndValue,
  STRING_SCHEMA,
  structSchema,
  TIMESTAMP_SCHEMA,
  toDouble,
  type Value,
} from "@headrace/sdk";
import { BUILT_IN_PLUGINS } from "#runtime/plugins/built-in.ts";

const PACKAGE = "org.apache.kafka.connect.transforms";

function find(name: string) {
  const found = BUILT_IN_PLUGINS.find((each) => each.aliases?.includes(`${PACKAGE}.${name}`) === true);
  assert.ok(found?.kind === "transform", `${name} is built in`);
  return found;
}

function recordOf(value: SchemaAndValue, more: Partial<ConnectRecord> = {}): ConnectRecord {
  return { topic: "t", partition: 0, key: NULL_VALUE, value, headers: [], timestamp: 0, offset: 1n, ...more };
}

function apply(name: string, config: Record<string, string>, record: ConnectRecord): ConnectRecord {
  const definition = find(name);
  const result = definition.compile(definition.config.parse(config))(record);
  assert.ok(result !== null, "the record is kept");
  return result;
}

const faultOf = (name: string, config: Record<string, string>) =>
  find(name).config.safeParse(config).error?.issues[0]?.message;

const plain = (value: Value): SchemaAndValue => ({ schema: null, value });

interface Row {
  readonly name: string;
  readonly config: Record<string, string>;
  readonly value: SchemaAndValue;
  readonly expected: SchemaAndValue;
}

const order = structSchema({ id: INT64_SCHEMA, note: optional(STRING_SCHEMA) });
const nested = structSchema({ id: INT64_SCHEMA, sub: optional(structSchema({ n: INT32_SCHEMA })) });

const ROWS: readonly Row[] = [
  {
    name: "Cast$Value",
    config: { spec: "a:int8,b:string,c:boolean,d:float64" },
    value: plain({ a: 300, b: toDouble(10), c: "TRUE", d: 5 }),
    expected: plain({ a: 44, b: "10.0", c: true, d: toDouble(5) }),
  },
  {
    name: "Cast$Value",
    config: { spec: "string" },
    value: { schema: TIMESTAMP_SCHEMA, value: 1_709_168_523_004n },
    expected: { schema: { ...TIMESTAMP_SCHEMA, type: "STRING" }, value: "2024-02-29T01:02:03.004Z" },
  },
  {
    name: "ExtractField$Value",
    config: { field: "sub.n", "field.syntax.version": "V2" },
    value: { schema: nested, value: { id: 1n, sub: { n: 7 } } },
    expected: { schema: INT32_SCHEMA, value: 7 },
  },
  { name: "ExtractField$Value", config: { field: "constructor" }, value: plain({}), expected: plain(null) },
  {
    name: "Flatten$Value",
    config: { delimiter: "_" },
    value: { schema: nested, value: { id: 1n, sub: null } },
    expected: {
      schema: structSchema({ id: INT64_SCHEMA, sub_n: optional(INT32_SCHEMA) }),
      value: { id: 1n, sub_n: null },
    },
  },
  {
    name: "Flatten$Value",
    config: {},
    value: plain({ a: { b: { c: 1 }, d: [1] } }),
    expected: plain({ "a.b.c": 1, "a.d": [1] }),
  },
  {
    name: "MaskField$Value",
    config: { fields: "id,note" },
    value: { schema: order, value: { id: 5n, note: "secret" } },
    expected: { schema: order, value: { id: 0n, note: "" } },
  },
  {
    name: "MaskField$Value",
    config: { fields: "id, note, id", replacement: "42" },
    value: plain({ id: 5, note: "secret" }),
    expected: plain({ id: 42, note: "42" }),
  },
  {
    name: "SetSchemaMetadata$Value",
    config: { "schema.name": "n", "schema.version": "3" },
    value: { schema: order, value: { id: 5n, note: null } },
    expected: { schema: { ...order, name: "n", version: 3 }, value: { id: 5n, note: null } },
  },
  {
    name: "TimestampConverter$Value",
    config: { field: "ts", "target.type": "string", format: "yyyy-MM-dd" },
    value: plain({ ts: 1_709_168_523_004 }),
    expected: plain({ ts: "2024-02-29" }),
  },
  {
    name: "TimestampConverter$Value",
    config: { "target.type": "Date", format: "yyyy-MM-dd" },
    value: { schema: STRING_SCHEMA, value: "2024-02-30 and more" },
    expected: { schema: { type: "INT32", optional: false, name: DATE_NAME, version: 1 }, value: 19_783 },
  },
  {
    name: "TimestampConverter$Value",
    config: { "target.type": "unix", "unix.precision": "seconds" },
    value: { schema: TIMESTAMP_SCHEMA, value: -1500n },
    expected: { schema: INT64_SCHEMA, value: -1n },
  },
];

describe("transforms", () => {
  for (const { name, config, value, expected } of ROWS) {
    it(`${name} with ${JSON.stringify(config)}`, () => {
      assert.deepEqual(apply(name, config, recordOf(value)).value, expected);
    });
  }

  it("drop, insert and take over headers", () => {
    const headers: readonly Header[] = [
      { key: "a", ...plain(1) },
      { key: "b", ...plain(2) },
      { key: "a", ...plain(3) },
    ];
    const record = recordOf({ schema: order, value: { id: 5n, note: "x" } }, { headers });
    assert.deepEqual(apply("DropHeaders", { headers: "a" }, record).headers, [headers[1]]);
    const added = apply("InsertHeader", { header: "h", "value.literal": "12" }, record).headers.at(-1);
    assert.deepEqual(added, { key: "h", schema: { type: "INT8", optional: false }, value: 12 });
    const moved = apply("HeaderFrom$Value", { fields: "id", headers: "h", operation: "move" }, record);
    assert.deepEqual(moved.headers.at(-1), { key: "h", schema: INT64_SCHEMA, value: 5n });
    assert.deepEqual(moved.value, { schema: structSchema({ note: optional(STRING_SCHEMA) }), value: { note: "x" } });
  });

  it("make a key of fields", () => {
    const record = recordOf({ schema: order, value: { id: 5n, note: "x" } });
    assert.deepEqual(apply("ValueToKey", { fields: "id" }, record).key, {
      schema: structSchema({ id: INT64_SCHEMA }),
      value: { id: 5n },
    });
    assert.throws(() => apply("ValueToKey", { fields: "none" }, record), /Field does not exist: none/);
  });

  it("put the time into the topic, whatever the names are made of", () => {
    const record = recordOf(NULL_VALUE, { topic: "a$&b", timestamp: 1_709_168_523_004 });
    assert.equal(apply("TimestampRouter", {}, record).topic, "a$&b-20240229");
    assert.throws(() => apply("TimestampRouter", {}, { ...record, timestamp: null }), /Timestamp missing on record/);
  });

  it("keep fields of any name to themselves", () => {
    const value: Value = JSON.parse('{"__proto__":{"polluted":1},"a":2}');
    const result = apply("ReplaceField$Value", { renames: "a:constructor" }, recordOf(plain(value))).value.value;
    assert.ok(result !== null && typeof result === "object");
    assert.deepEqual(Object.keys(result).sort(), ["__proto__", "constructor"]);
    assert.equal(Object.getPrototypeOf(result), Object.prototype);
  });

  it("refuse null for a required field, name for name as Java does", () => {
    const schema: Schema = structSchema({ n: { type: "INT32", optional: false, default: 9 } });
    const record = recordOf({ schema, value: { n: null } });
    assert.deepEqual(apply("Cast$Value", { spec: "n:string" }, record).value.value, { n: "9" });
    const config = { spec: "n:string", "replace.null.with.default": "false" };
    assert.throws(() => apply("Cast$Value", config, record), /null used for required field: "n", schema type: STRING/);
  });

  it("refuse what they cannot do, in Java's words", () => {
    const text = recordOf({ schema: STRING_SCHEMA, value: "x" });
    assert.throws(
      () => apply("Cast$Value", { spec: "int8" }, text),
      /Value \(x\) was out of range for requested data type/,
    );
    assert.throws(
      () => apply("ExtractField$Value", { field: "a" }, text),
      /Only Struct objects supported for \[field extraction\], found: java\.lang\.String/,
    );
    const mapped = { schema: structSchema({ m: mapSchema(STRING_SCHEMA, INT32_SCHEMA) }), value: { m: new Map() } };
    assert.throws(
      () => apply("Flatten$Value", {}, recordOf(mapped)),
      /does not support MAP for record with schemas \(for field m\)/,
    );
    assert.throws(
      () => apply("MaskField$Value", { fields: "a", replacement: "x" }, recordOf(plain({ a: true }))),
      /class java\.lang\.Boolean with custom replacement/,
    );
  });

  const faults: readonly [string, Record<string, string>, RegExp][] = [
    ["Cast$Value", { spec: "a:what" }, /Invalid type found in casting spec: what/],
    ["Cast$Value", { spec: "a:bytes" }, /does not support casting to BYTES/],
    ["Cast$Value", { spec: "int8,a:int8" }, /may only specify a single cast/],
    ["ExtractField$Value", { field: "`a", "field.syntax.version": "V2" }, /Incomplete backtick pair in path: \[`a\]/],
    ["HeaderFrom$Value", { fields: "a,b", headers: "h", operation: "move" }, /same number of elements/],
    ["ReplaceField$Value", { renames: "a" }, /Invalid rename mapping: a/],
    ["SetSchemaMetadata$Value", {}, /Neither schema name nor version configured/],
    ["TimestampConverter$Value", { "target.type": "string" }, /requires format option/],
    ["TimestampConverter$Value", { "target.type": "unix", format: "bad" }, /SimpleDateFormat-compatible pattern/],
    ["DropHeaders", { headers: "" }, /must not be empty/],
  ];
  for (const [name, config, message] of faults) {
    it(`${name} refuses ${JSON.stringify(config)}`, () => assert.match(faultOf(name, config) ?? "", message));
  }
});
