import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DataError, decimalText, fromDecimalText, fromUnscaled, parseBigDecimal, toUnscaled } from "@headrace/sdk";

describe("decimal", () => {
  const rows: readonly [bigint, string][] = [
    [0n, "00"],
    [127n, "7f"],
    [128n, "0080"],
    [-1n, "ff"],
    [-128n, "80"],
    [-129n, "ff7f"],
    [2n ** 64n, "010000000000000000"],
  ];
  for (const [unscaled, hex] of rows) {
    it(`writes ${unscaled} as java.math.BigInteger does`, () => {
      assert.equal(fromUnscaled(unscaled).toString("hex"), hex);
      assert.equal(toUnscaled(Buffer.from(hex, "hex")), unscaled);
    });
  }

  const texts: readonly [bigint, number, string][] = [
    [-5n, 2, "-0.05"],
    [12n, -2, "1.2E+3"],
    [1n, -3, "1E+3"],
    [0n, 2, "0.00"],
    [1n, 7, "1E-7"],
    [123n, 9, "1.23E-7"],
    [1n, 6, "0.000001"],
    [-12345n, 0, "-12345"],
  ];
  for (const [unscaled, scale, text] of texts) {
    it(`is ${text} as text`, () => assert.equal(decimalText(fromUnscaled(unscaled), scale), text));
  }

  it("is read from text to the scale of its schema", () => {
    assert.equal(toUnscaled(fromDecimalText("1.5e1", 2)), 1500n);
    assert.throws(() => fromDecimalText("1.005", 2), DataError);
    assert.deepEqual(parseBigDecimal("-.5e1"), { unscaled: -5n, scale: 0 });
    for (const text of ["", ".", "e1", "1e", "0x1", " 1"]) assert.equal(parseBigDecimal(text), null);
  });
});
