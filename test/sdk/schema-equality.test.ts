import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  INT32_SCHEMA,
  mapSchema,
  optional,
  type Schema,
  STRING_SCHEMA,
  schemasEqual,
  structSchema,
  toPlain,
  valuesEqual,
  WholeDouble,
} from "@headrace/sdk";

describe("schemasEqual", () => {
  const base: Schema = {
    ...structSchema({ a: INT32_SCHEMA, b: STRING_SCHEMA }),
    name: "n",
    version: 1,
    doc: "d",
    parameters: { p: "q" },
  };

  it("compares by attributes, not identity", () => {
    assert.ok(schemasEqual(base, structuredClone(base)));
    assert.ok(schemasEqual(null, null));
    assert.ok(!schemasEqual(base, null));
  });

  const others: readonly [string, Schema][] = [
    ["optional", optional(base)],
    ["name", { ...base, name: "m" }],
    ["version", { ...base, version: 2 }],
    ["doc", { ...base, doc: "e" }],
    ["parameters", { ...base, parameters: { p: "r" } }],
    ["default", { ...base, default: { a: 1, b: "x" } }],
    ["order of fields", { ...base, fields: [...(base.fields ?? [])].reverse() }],
    ["number of fields", { ...base, fields: [] }],
  ];
  for (const [what, other] of others) it(`differs by ${what}`, () => assert.ok(!schemasEqual(base, other)));

  it("looks into maps", () => {
    assert.ok(!schemasEqual(mapSchema(STRING_SCHEMA, INT32_SCHEMA), mapSchema(STRING_SCHEMA, STRING_SCHEMA)));
  });
});

describe("values", () => {
  it("are equal at any depth", () => {
    const make = () => ({ a: [1, Buffer.of(1), new Map([["k", 2n]])], b: new WholeDouble(3), c: new Date(5) });
    assert.ok(valuesEqual(make(), make()));
    assert.ok(!valuesEqual(make(), { ...make(), b: 3 }));
    assert.ok(!valuesEqual([1], [1, 2]));
    assert.ok(!valuesEqual(new Map([["a", 1]]), new Map([["b", 1]])));
  });

  it("are plain numbers for connectors", () => {
    const value = { a: new WholeDouble(10), b: [new WholeDouble(0)], c: new Map([["k", new WholeDouble(1)]]), d: 5n };
    assert.deepEqual(toPlain({ schema: null, value }).value, { a: 10, b: [0], c: new Map([["k", 1]]), d: 5n });
  });
});
