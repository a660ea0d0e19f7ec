import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BackOff, nextBackOff, restartAt, shouldRestart } from "#dev/agent/back-off.ts";

const limits = { baseMs: 10_000, maxMs: 300_000 };

describe("back-off of restarts", () => {
  it("restarts at once, then after 10 s, doubled up to 300 s", () => {
    let backOff: BackOff | null = null;
    let nowMs = 1_000_000;
    const waits = Array.from({ length: 8 }, () => {
      const finishedAtMs = nowMs + 1;
      const startMs = restartAt(backOff, finishedAtMs, limits);
      backOff = nextBackOff(backOff, startMs, limits);
      nowMs = startMs;
      return (startMs - finishedAtMs) / 1000;
    });
    assert.deepEqual(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
  });

  it("is forgotten after a run of more than ten minutes", () => {
    const backOff = { delayMs: 160_000, startedAtMs: 0 };
    assert.equal(restartAt(backOff, 600_000, limits), 760_000);
    assert.equal(restartAt(backOff, 600_001, limits), 600_001);
    assert.deepEqual(nextBackOff(backOff, 600_001, limits), { delayMs: 10_000, startedAtMs: 600_001 });
  });

  it("restarts by the pod's policy", () => {
    const table = (["Always", "OnFailure", "Never"] as const).map((policy) => [
      shouldRestart(policy, 0),
      shouldRestart(policy, 1),
    ]);
    assert.deepEqual(table, [
      [true, true],
      [false, true],
      [false, false],
    ]);
  });
});
