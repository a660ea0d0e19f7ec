import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exactInteger, type Json, JsonDecimal, parseExactJson } from "@headrace/sdk";

const exact = (text: string): Json<number | bigint | JsonDecimal> =>
  parseExactJson(text, "it", (source, value) => exactInteger(source, value) ?? new JsonDecimal(source));

describe("parseExactJson", () => {
  it("gives each number with all its digits", () => {
    const long = "123456789012345678901234567890";
    assert.deepEqual(exact(`[1, -${long}, 9007199254740991, 9007199254740993, {"a": 0.10, "b": 1E2, "c": [-0]}]`), [
      1,
      -BigInt(long),
      9_007_199_254_740_991,
      9_007_199_254_740_993n,
      { a: new JsonDecimal("0.10"), b: new JsonDecimal("1E2"), c: [-0] },
    ]);
    assert.equal(String(exact("1.0")), "1.0");
  });

  it("leaves all else to JSON.parse, and says what is not JSON", () => {
    assert.deepEqual(exact('{"a": ["1", null, true]}'), { a: ["1", null, true] });
    assert.throws(() => exact("{"), { name: "DataError", message: "it is not JSON" });
  });
});
