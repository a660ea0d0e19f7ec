import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toStringMap } from "@headrace/contract";

describe("toStringMap", () => {
  it("writes scalars as Kafka Connect does", () => {
    const { values, problems } = toStringMap({ text: "a b", empty: "", yes: true, no: false, whole: 42, half: 0.5 });
    assert.deepEqual(values, { text: "a b", empty: "", yes: "true", no: "false", whole: "42", half: "0.5" });
    assert.deepEqual(problems, []);
  });

  const bad: readonly [string, unknown, RegExp][] = [
    ["null", null, /has no value/],
    ["an empty map", {}, /must be a string, a number or a boolean/],
    ["an empty list", [], /must be a string, a number or a boolean/],
    ["a number that lost digits", 2 ** 53, /too large.*quotes/],
  ];
  for (const [what, value, message] of bad) {
    it(`reports ${what} and keeps the rest`, () => {
      const { values, problems } = toStringMap({ good: "1", bad: value });
      assert.deepEqual(values, { good: "1" });
      assert.equal(problems.length, 1);
      assert.equal(problems[0]?.key, "bad");
      assert.match(problems[0]?.message ?? "", message);
    });
  }
});
