import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isJsonObject, parseJson, toJson } from "#runtime/json.ts";

describe("json", () => {
  for (const [text, value] of [
    ["9007199254740991", 9007199254740991],
    ["-9007199254740991", -9007199254740991],
    ["9007199254740993", 9007199254740993n],
    ["-9223372036854775808", -9223372036854775808n],
    ["18446744073709551616", 18446744073709551616n],
    ["0.1234567890123456789", 0.12345678901234568],
    ['"12345678901234567890"', "12345678901234567890"],
    ['{"a":[12345678901234567,{"b":1}]}', { a: [12345678901234567n, { b: 1 }] }],
  ] as const) {
    it(`reads ${text}`, () => assert.deepEqual(parseJson(text), value));
  }

  it("takes a large number with an exponent for a double", () =>
    assert.equal(parseJson("12345678901234567e3"), 12345678901234567e3));

  it("gives back the digits it has read", () => {
    const text = '{"id":9223372036854775807,"list":[-9007199254740993,1.5,null,true,"x"],"n":0}';
    assert.equal(toJson(parseJson(text)), text);
  });

  it("throws what JSON.parse throws", () => assert.throws(() => parseJson('{"a":12345678901234567'), SyntaxError));

  it("tells objects from all else", () => {
    assert.ok(isJsonObject({}));
    for (const value of [null, [], "x", 1, 1n, true, undefined]) assert.ok(!isJsonObject(value));
  });
});
