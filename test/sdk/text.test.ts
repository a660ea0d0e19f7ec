import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  FLOAT64_SCHEMA,
  INT32_SCHEMA,
  javaFloat,
  type Schema,
  STRING_SCHEMA,
  structSchema,
  toText,
} from "@headrace/sdk";

describe("javaFloat", () => {
  const rows: readonly [number, boolean, string][] = [
    [1, false, "1.0"],
    [0, false, "0.0"],
    [-0, false, "-0.0"],
    [0.1, false, "0.1"],
    [1e7, false, "1.0E7"],
    [9_999_999, false, "9999999.0"],
    [0.001, false, "0.001"],
    [0.0001, false, "1.0E-4"],
    [1.5e10, false, "1.5E10"],
    [-12.5, false, "-12.5"],
    [Number.NaN, false, "NaN"],
    [Math.fround(0.1), true, "0.1"],
    [Math.fround(3.4028235e38), true, "3.4028235E38"],
  ];
  for (const [value, single, text] of rows) {
    it(`writes ${value} as ${text}`, () => assert.equal(javaFloat(value, single), text));
  }
});

describe("toText", () => {
  it("writes values as Java's toString", () => {
    const struct = structSchema({ a: INT32_SCHEMA, b: STRING_SCHEMA, c: FLOAT64_SCHEMA });
    const rows: readonly [Schema | null, Parameters<typeof toText>[0]["value"], string][] = [
      [null, "x", "x"],
      [null, 5, "5"],
      [null, 5n, "5"],
      [null, [1, "a"], "[1, a]"],
      [null, { a: 1, b: null }, "{a=1, b=null}"],
      [null, new Map([["k", true]]), "{k=true}"],
      [struct, { a: 1, b: "x", c: 2 }, "Struct{a=1,b=x,c=2.0}"],
    ];
    for (const [schema, value, text] of rows) assert.equal(toText({ schema, value }), text);
  });
});
