import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { STRING_SCHEMA, Utf8Text } from "@headrace/sdk";

describe("Utf8Text", () => {
  const bytes = Buffer.from("-grüße-");

  it("is decoded for whoever reads it", () => {
    const text = new Utf8Text(STRING_SCHEMA, bytes, 1, 8);
    assert.deepEqual([text.value, text.length], ["grüße", 7]);
    assert.deepEqual(text.decode(), { schema: STRING_SCHEMA, value: "grüße" });
    assert.equal(new Utf8Text(null, bytes, 9, 9).value, "");
  });

  it("lies within its bytes", () => {
    for (const [start, end] of [
      [-1, 2],
      [3, 2],
      [0, 10],
      [Number.NaN, 2],
      [0, Number.NaN],
    ] as const) {
      assert.throws(() => new Utf8Text(null, bytes, start, end), RangeError);
    }
  });
});
