import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { backOffMs } from "#operator/back-off.ts";

const backOff = { baseMs: 100, maxMs: 1_000 };

describe("backOffMs", () => {
  const table: readonly [failures: number, random: number, expected: number][] = [
    [0, 0, 0],
    [1, 0, 100],
    [1, 1, 50],
    [2, 0, 200],
    [4, 0, 800],
    [5, 0, 1_000],
    [5, 0.5, 750],
    [5_000, 0, 1_000],
  ];
  for (const [failures, random, expected] of table) {
    it(`after ${failures} failures and a random of ${random} is ${expected} ms`, () => {
      assert.equal(
        backOffMs(backOff, failures, () => random),
        expected,
      );
    });
  }
});
