import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type ConnectRecord,
  DataError,
  INT32_SCHEMA,
  INT64_SCHEMA,
  NULL_VALUE,
  OPTIONAL_STRING_SCHEMA,
  optional,
  type Schema,
  STRING_SCHEMA,
  structSchema,
  TIMESTAMP_SCHEMA,
  type TransformDefinition,
  type Value,
} from "@headrace/sdk";
import { filter } from "#runtime/transforms/filter.ts";
import { hoistFieldKey, hoistFieldValue } from "#runtime/transforms/hoist-field.ts";
import { insertFieldKey, insertFieldValue } from "#runtime/transforms/insert-field.ts";
import { regexRouter } from "#runtime/transforms/regex-router.ts";
import { replaceFieldKey, replaceFieldValue } from "#runtime/transforms/replace-field.ts";

function record(schema: Schema | null, value: Value, more: Partial<ConnectRecord> = {}): ConnectRecord {
  return {
    topic: "orders",
    partition: 3,
    key: NULL_VALUE,
    value: { schema, value },
    headers: [],
    timestamp: 1_700_000_000_000,
    offset: 12n,
    ...more,
  };
}

const apply = (definition: TransformDefinition, config: Record<string, string>, input: ConnectRecord) =>
  definition.compile(definition.config.parse(config))(input);

describe("InsertField", () => {
  const all = {
    "topic.field": "topic",
    "partition.field": "partition!",
    "offset.field": "offset",
    "timestamp.field": "ts?",
    "static.field": "env",
    "static.value": "prod",
  };

  it("adds fields to a map", () => {
    assert.deepEqual(apply(insertFieldValue, all, record(null, { a: 1 }))?.value, {
      schema: null,
      value: { a: 1, topic: "orders", partition: 3, offset: 12, ts: 1_700_000_000_000, env: "prod" },
    });
  });

  it("adds fields to a struct and its schema", () => {
    const schema = structSchema({ a: INT32_SCHEMA });
    const result = apply(insertFieldValue, all, record(schema, { a: 1 }));
    assert.deepEqual(result?.value, {
      schema: {
        ...schema,
        fields: [
          { name: "a", schema: INT32_SCHEMA },
          { name: "topic", schema: optional(STRING_SCHEMA) },
          { name: "partition", schema: INT32_SCHEMA },
          { name: "offset", schema: optional(INT64_SCHEMA) },
          { name: "ts", schema: optional(TIMESTAMP_SCHEMA) },
          { name: "env", schema: optional(STRING_SCHEMA) },
        ],
      },
      value: { a: 1, topic: "orders", partition: 3, offset: 12n, ts: 1_700_000_000_000n, env: "prod" },
    });
  });

  it("derives a schema once", () => {
    const transform = insertFieldValue.compile(insertFieldValue.config.parse({ "topic.field": "t" }));
    const schema = structSchema({ a: INT32_SCHEMA });
    const [one, two] = [transform(record(schema, { a: 1 })), transform(record(schema, { a: 2 }))];
    assert.equal(one?.value.schema, two?.value.schema);
  });

  it("works on the key, leaves tombstones alone, refuses what has no fields", () => {
    const keyed = record(null, null, { key: { schema: null, value: { id: 1 } } });
    assert.deepEqual(apply(insertFieldKey, { "topic.field": "t" }, keyed)?.key.value, { id: 1, t: "orders" });
    assert.equal(apply(insertFieldValue, { "topic.field": "t" }, keyed), keyed);
    assert.throws(
      () => apply(insertFieldValue, { "topic.field": "t" }, record(null, "text")),
      /Only Map objects supported in absence of schema for \[field insertion\], found: java\.lang\.String/,
    );
    assert.throws(
      () => apply(insertFieldValue, { "topic.field": "t" }, record(STRING_SCHEMA, "text")),
      /Only Struct objects supported for \[field insertion\], found: java\.lang\.String/,
    );
  });

  it("has offsets for sinks only, and leaves a null timestamp out of a map", () => {
    const source = record(null, { a: 1 }, { offset: null, timestamp: null });
    assert.throws(() => apply(insertFieldValue, { "offset.field": "o" }, source), DataError);
    assert.deepEqual(apply(insertFieldValue, { "timestamp.field": "ts" }, source)?.value.value, { a: 1 });
  });

  it("does not modify its argument", () => {
    const value = Object.freeze({ a: 1 });
    apply(insertFieldValue, { "topic.field": "t" }, record(null, value));
  });

  it("must have something to insert", () => {
    assert.equal(insertFieldValue.config.safeParse({}).error?.issues[0]?.message, "No field insertion configured");
    assert.equal(insertFieldValue.config.safeParse({ "static.field": "x" }).success, false);
  });
});

describe("ReplaceField", () => {
  const rows: readonly [Record<string, string>, Record<string, Value>][] = [
    [{ exclude: "a" }, { b: "x", c: null }],
    [{ include: "a,b" }, { a: 1, b: "x" }],
    [{ include: "a,b", exclude: "b" }, { a: 1 }],
    [{ renames: "a:z" }, { z: 1, b: "x", c: null }],
    [{ include: "b", renames: "b:y" }, { y: "x" }],
  ];
  const schema = structSchema({ a: INT32_SCHEMA, b: STRING_SCHEMA, c: OPTIONAL_STRING_SCHEMA });
  for (const [config, expected] of rows) {
    it(`with ${JSON.stringify(config)}, with and without schema`, () => {
      const value = { a: 1, b: "x", c: null };
      assert.deepEqual(apply(replaceFieldValue, config, record(null, value))?.value.value, expected);
      const result = apply(replaceFieldValue, config, record(schema, value))?.value;
      assert.deepEqual(result?.value, expected);
      assert.deepEqual(
        result?.schema?.fields?.map((field) => field.name),
        Object.keys(expected),
      );
    });
  }

  it("reads a null field as its default", () => {
    const withDefault = structSchema({ n: { type: "INT32", optional: true, default: 9 } });
    const input = record(withDefault, { n: null });
    assert.deepEqual(apply(replaceFieldValue, {}, input)?.value.value, { n: 9 });
    const config = { "replace.null.with.default": "false" };
    assert.deepEqual(apply(replaceFieldValue, config, input)?.value.value, { n: null });
  });

  it("works on the key, and refuses a rename that is none", () => {
    const keyed = record(null, null, { key: { schema: null, value: { a: 1, b: 2 } } });
    assert.deepEqual(apply(replaceFieldKey, { exclude: "a" }, keyed)?.key.value, { b: 2 });
    assert.equal(replaceFieldValue.config.safeParse({ renames: "a" }).success, false);
  });
});

describe("HoistField", () => {
  it("wraps with and without schema", () => {
    assert.deepEqual(apply(hoistFieldValue, { field: "line" }, record(null, "x"))?.value, {
      schema: null,
      value: { line: "x" },
    });
    assert.deepEqual(apply(hoistFieldValue, { field: "line" }, record(STRING_SCHEMA, "x"))?.value, {
      schema: structSchema({ line: STRING_SCHEMA }),
      value: { line: "x" },
    });
    assert.deepEqual(apply(hoistFieldKey, { field: "k" }, record(null, "x"))?.key.value, { k: null });
  });
});

describe("RegexRouter", () => {
  const rows: readonly [string, string, string, string][] = [
    ["orders", "all", "orders", "all"],
    ["(.*)-eu", "eu.$1", "orders-eu", "eu.orders"],
    ["ord", "x", "orders", "orders"],
    ["(?<name>\\w+)", `\${name}2`, "orders", "orders2"],
    ["(o)(.*)", "$2$1", "orders", "rderso"],
    ["orders", "a\\$b", "orders", "a$b"],
  ];
  for (const [regex, replacement, topic, expected] of rows) {
    it(`${regex} → ${replacement} makes ${expected} of ${topic}`, () => {
      assert.equal(apply(regexRouter, { regex, replacement }, record(null, 1, { topic }))?.topic, expected);
    });
  }
});

describe("Filter", () => {
  it("drops", () => assert.equal(apply(filter, {}, record(null, 1)), null));
});
