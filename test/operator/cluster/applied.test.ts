import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isFresh, toApplied } from "#operator/cluster/applied.ts";

const AT_MS = 1_000_000;

describe("isFresh", () => {
  const last = toApplied({ a: 1 }, AT_MS);
  const cases: readonly (readonly [title: string, wanted: object, nowMs: number, fresh: boolean])[] = [
    ["the same, a moment ago", { a: 1 }, AT_MS + 1, true],
    ["another one", { a: 2 }, AT_MS + 1, false],
    ["the same, long ago", { a: 1 }, AT_MS + 60_000, false],
    ["the same, with a clock that was set back since", { a: 1 }, AT_MS - 3_600_000, false],
  ];
  for (const [title, wanted, nowMs, fresh] of cases) {
    it(title, () => assert.equal(isFresh(last, toApplied(wanted, nowMs)), fresh));
  }
});
