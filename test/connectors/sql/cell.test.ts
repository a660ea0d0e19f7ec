import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DataError, TIME_SCHEMA } from "@headrace/sdk";
import { toCell } from "@headrace/sql";

describe("a cell", () => {
  it("is a time of a day, or none: a span that is longer would lose its days", () => {
    assert.deepEqual(toCell(0, TIME_SCHEMA), { kind: "time", text: "00:00:00.000" });
    assert.deepEqual(toCell(86_399_999, TIME_SCHEMA), { kind: "time", text: "23:59:59.999" });
    for (const ms of [86_400_000, 90_000_000, -1, Number.NaN])
      assert.throws(() => toCell(ms, TIME_SCHEMA), DataError, String(ms));
  });
});
