import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  BOOLEAN_SCHEMA,
  DATE_NAME,
  decimalSchema,
  FLOAT32_SCHEMA,
  fromUnscaled,
  INT8_SCHEMA,
  INT16_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  type Schema,
  STRING_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { simpleHeaderConverter } from "#runtime/converters/simple-header.ts";

const converter = simpleHeaderConverter.compileHeader?.({});
assert.ok(converter !== undefined);
const decode = (payload: Buffer | null) => converter.decodeHeader("t", "h", payload);
const encode = (schema: Schema | null, value: Value) => converter.encodeHeader("t", "h", { schema, value });

describe("simple header converter reads", () => {
  const date: Schema = { type: "INT32", optional: false, name: DATE_NAME, version: 1 };
  const rows: readonly [string, Schema | null, Value][] = [
    ["", STRING_SCHEMA, ""],
    ["null", null, null],
    ["true", BOOLEAN_SCHEMA, true],
    ["True", STRING_SCHEMA, "True"],
    ["12", INT8_SCHEMA, 12],
    ["-129", INT16_SCHEMA, -129],
    ["40000", INT32_SCHEMA, 40000],
    ["3000000000", INT64_SCHEMA, 3000000000n],
    ["1.0", INT8_SCHEMA, 1],
    ["1e3", INT16_SCHEMA, 1000],
    ["1.5", FLOAT32_SCHEMA, 1.5],
    ["2024-02-29", date, 19782],
    ["2024-02-29T01:02:03.004Z", TIMESTAMP_SCHEMA, 1709168523004n],
    ["hello world", STRING_SCHEMA, "hello world"],
    ['"quoted"', STRING_SCHEMA, '"quoted"'],
    ["[1, 300]", { type: "ARRAY", optional: false, valueSchema: INT16_SCHEMA }, [1, 300]],
    ['[1, "x"]', { type: "ARRAY", optional: false }, [1, "x"]],
    ["[1, x]", STRING_SCHEMA, "[1, x]"],
    ["[1, null]", STRING_SCHEMA, "[1, null]"],
    ["[1,,2]", STRING_SCHEMA, "[1,,2]"],
    ["[1,]", { type: "ARRAY", optional: false, valueSchema: INT8_SCHEMA }, [1]],
    ["[null]", { type: "ARRAY", optional: false }, [null]],
    ["12:34", INT8_SCHEMA, 12],
    ["1.1e400", decimalSchema(-399), fromUnscaled(11n)],
    ["12345678901234567890", decimalSchema(0), fromUnscaled(12345678901234567890n)],
    ["1e20", FLOAT32_SCHEMA, Math.fround(1e20)],
    [
      '{"a":1}',
      { type: "MAP", optional: false, keySchema: STRING_SCHEMA, valueSchema: INT8_SCHEMA },
      new Map([["a", 1]]),
    ],
    ["{broken", STRING_SCHEMA, "{broken"],
  ];
  for (const [text, schema, value] of rows) {
    it(`${JSON.stringify(text)}`, () => assert.deepEqual(decode(Buffer.from(text)), { schema, value }));
  }

  it("no bytes as null", () => {
    assert.deepEqual(decode(null), { schema: null, value: null });
  });
});

describe("simple header converter writes", () => {
  const rows: readonly [Schema | null, Value, string | null][] = [
    [null, null, null],
    [STRING_SCHEMA, 'say "x"', 'say "x"'],
    [null, ["a", 'b"', 1], '["a","b\\"",1]'],
    [null, { a: 1, b: "x" }, '{"a":1,"b":"x"}'],
    [null, Buffer.from([0, 255]), "AP8="],
    [null, [Buffer.from([0, 255])], '["AP8="]'],
    [FLOAT32_SCHEMA, 2, "2.0"],
    [TIMESTAMP_SCHEMA, 1709168523004n, "2024-02-29T01:02:03.004Z"],
  ];
  for (const [schema, value, text] of rows) it(`${text}`, () => assert.equal(encode(schema, value), text));
});
