import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  arraySchema,
  checkValue,
  createStruct,
  DataError,
  INT8_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  mapSchema,
  OPTIONAL_STRING_SCHEMA,
  type Schema,
  STRING_SCHEMA,
  structSchema,
  type Value,
  withAttributes,
} from "@headrace/sdk";

const PERSON = structSchema({
  name: STRING_SCHEMA,
  nick: OPTIONAL_STRING_SCHEMA,
  age: withAttributes(INT32_SCHEMA, { default: 7 }),
});

describe("structs", () => {
  it("have defaults, nulls and the schema's order", () => {
    const { value } = createStruct(PERSON, { age: undefined, name: "a" });
    assert.deepEqual(value, { name: "a", nick: null, age: 7 });
    assert.deepEqual(Object.keys(value ?? {}), ["name", "nick", "age"]);
  });

  it("refuse unknown, missing and wrong fields by name", () => {
    assert.throws(() => createStruct(PERSON, { name: "a", x: 1 }), /x is not a valid field name/);
    assert.throws(() => createStruct(PERSON, {}), /null used for required field "name"/);
    assert.throws(() => createStruct(PERSON, { name: 1 }), /"name": number does not fit schema type STRING/);
    assert.throws(() => createStruct(STRING_SCHEMA, {}), DataError);
  });

  it("a default of null makes a schema optional", () => {
    assert.equal(withAttributes(STRING_SCHEMA, { default: null }).optional, true);
  });
});

describe("a value", () => {
  const rows: readonly (readonly [what: string, schema: Schema, value: Value, problem: RegExp | null])[] = [
    ["of 8 bits at its ends", arraySchema(INT8_SCHEMA), [-128, 127], null],
    ["above 8 bits", INT8_SCHEMA, 128, /number does not fit schema type INT8/],
    ["below 8 bits", INT8_SCHEMA, -129, /INT8/],
    ["with a fraction", INT32_SCHEMA, 1.5, /INT32/],
    ["of 64 bits", INT64_SCHEMA, 2n ** 63n - 1n, null],
    ["beyond 64 bits", INT64_SCHEMA, 2n ** 63n, /bigint does not fit schema type INT64/],
    ["number for 64 bits", INT64_SCHEMA, 1, /INT64/],
    ["inside of an array", arraySchema(STRING_SCHEMA), ["a", null], /required field "value\[1\]"/],
    ["inside of a map", mapSchema(STRING_SCHEMA, INT32_SCHEMA), new Map<Value, Value>([["a", "b"]]), /"value.value"/],
    ["inside of a struct", structSchema({ p: PERSON }), { p: { name: null } }, /"value.p.name"/],
    ["buffer for a struct", PERSON, Buffer.from("x"), /Buffer does not fit schema type STRUCT/],
  ];
  for (const [what, schema, value, problem] of rows) {
    it(`${what} is ${problem === null ? "accepted" : "refused"}`, () => {
      if (problem === null) assert.doesNotThrow(() => checkValue(schema, value));
      else assert.throws(() => checkValue(schema, value), problem);
    });
  }
});
