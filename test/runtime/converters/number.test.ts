import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DataError, type Value } from "@headrace/sdk";
import { booleanConverter } from "#runtime/converters/boolean.ts";
import { numberConverters } from "#runtime/converters/number.ts";

const converterOf = (name: string) => {
  const found = numberConverters.find((each) => each.name === name);
  assert.ok(found !== undefined);
  return found.compile({}, false);
};

describe("number converters", () => {
  const rows: readonly [string, "INT16" | "INT32" | "INT64" | "FLOAT32" | "FLOAT64", Value, string][] = [
    ["short", "INT16", -2, "fffe"],
    ["integer", "INT32", 258, "00000102"],
    ["long", "INT64", -(2n ** 63n), "8000000000000000"],
    ["float", "FLOAT32", 1.5, "3fc00000"],
    ["double", "FLOAT64", -2, "c000000000000000"],
  ];
  for (const [name, type, value, hex] of rows) {
    it(`${name}: ${value} is ${hex}`, () => {
      const converter = converterOf(name);
      const schema = { type, optional: true } as const;
      assert.equal(converter.encode("t", { schema, value })?.toString("hex"), hex);
      assert.deepEqual(converter.decode("t", Buffer.from(hex, "hex")), { schema, value });
      assert.deepEqual(converter.decode("t", null), { schema, value: null });
      assert.equal(converter.encode("t", { schema, value: null }), null);
      assert.throws(() => converter.decode("t", Buffer.of(1)), DataError);
      assert.throws(() => converter.encode("t", { schema: null, value: "1" }), DataError);
    });
  }

  it("write schemaless integers that fit", () => {
    const short = converterOf("short");
    assert.equal(short.encode("t", { schema: null, value: 5 })?.toString("hex"), "0005");
    assert.throws(() => short.encode("t", { schema: null, value: 40_000 }), DataError);
    assert.throws(() => short.encode("t", { schema: null, value: 1.5 }), DataError);
    assert.throws(() => short.encode("t", { schema: { type: "INT32", optional: false }, value: 5 }), DataError);
  });
});

describe("boolean converter", () => {
  const converter = booleanConverter.compile({}, false);

  it("is one byte", () => {
    const schema = { type: "BOOLEAN", optional: true } as const;
    for (const value of [true, false]) {
      assert.deepEqual(converter.encode("t", { schema, value }), Buffer.of(value ? 1 : 0));
      assert.deepEqual(converter.decode("t", Buffer.of(value ? 1 : 0)), { schema, value });
    }
    for (const payload of [Buffer.of(2), Buffer.of(), Buffer.of(0, 1)])
      assert.throws(() => converter.decode("t", payload), DataError);
    assert.throws(() => converter.encode("t", { schema: null, value: 1 }), DataError);
  });
});
