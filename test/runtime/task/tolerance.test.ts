import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DataError, RetriableError } from "@headrace/sdk";
import { judge, type Stage, type TolerancePolicy, type Verdict } from "#runtime/task/tolerance.ts";

const policy = (more: Partial<TolerancePolicy>): TolerancePolicy => ({
  tolerance: "none",
  retryTimeoutMs: 0,
  retryDelayMaxMs: 60_000,
  logEnable: false,
  logIncludeMessages: false,
  ...more,
});
const bad = new DataError("bad");
const busy = new RetriableError("busy");
const fail: Verdict = { kind: "fail" };
const skip: Verdict = { kind: "skip" };
const retry = (delayMs: number): Verdict => ({ kind: "retry", delayMs });

describe("judge", () => {
  const rows: readonly [string, Partial<TolerancePolicy>, Stage, Error, number, number, Verdict][] = [
    ["tolerance none", {}, "VALUE_CONVERTER", bad, 1, 0, fail],
    ["tolerance all, any error of a converter", { tolerance: "all" }, "VALUE_CONVERTER", bad, 1, 0, skip],
    ["tolerance all, any error of a transform", { tolerance: "all" }, "TRANSFORMATION", bad, 1, 0, skip],
    ["tolerance all, another error of put", { tolerance: "all" }, "TASK_PUT", bad, 1, 0, fail],
    ["tolerance all, a retriable error of put", { tolerance: "all" }, "TASK_PUT", busy, 1, 0, skip],
    ["no retry of what is not retriable", { retryTimeoutMs: 1_000 }, "TRANSFORMATION", bad, 1, 0, fail],
    ["no retry without a time for it", {}, "TRANSFORMATION", busy, 1, 0, fail],
    ["the first retry", { retryTimeoutMs: 10_000 }, "TRANSFORMATION", busy, 1, 0, retry(300)],
    ["the third retry", { retryTimeoutMs: 10_000 }, "TRANSFORMATION", busy, 3, 900, retry(1_200)],
    ["a retry cut to the time left", { retryTimeoutMs: 1_000 }, "TRANSFORMATION", busy, 3, 900, retry(100)],
    ["no more retries after the time", { retryTimeoutMs: 1_000 }, "TRANSFORMATION", busy, 4, 1_000, fail],
    ["a skip after the retries", { retryTimeoutMs: 1_000, tolerance: "all" }, "TASK_PUT", busy, 4, 1_000, skip],
    [
      "a random pause beyond the longest",
      { retryTimeoutMs: -1, retryDelayMaxMs: 1_000 },
      "TASK_PUT",
      busy,
      9,
      1e9,
      retry(500),
    ],
  ];
  for (const [what, given, stage, error, attempts, elapsedMs, verdict] of rows) {
    it(`knows ${what}`, () => {
      assert.deepEqual(
        judge(policy(given), { stage, error, attempts, elapsedMs }, () => 0.5),
        verdict,
      );
    });
  }
});
