import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricWindow } from "#runtime/task/metric-window.ts";

function setUp() {
  const clock = { ms: 0 };
  const window = new MetricWindow({ sampleWindowMs: 30_000, samples: 2, now: () => clock.ms });
  return { clock, window };
}

describe("metric window", () => {
  it("knows nothing before the first value", () => {
    const { window } = setUp();
    assert.deepEqual([window.rate(), window.sum()], [0, 0]);
    assert.ok([window.average(), window.max(), window.min()].every(Number.isNaN));
  });

  it("counts a young window as one that is full but for its last sample", () => {
    const { clock, window } = setUp();
    window.record(300);
    assert.equal(window.rate(), 10);
    clock.ms = 15_000;
    assert.equal(window.rate(), 300 / 45);
    clock.ms = 30_000;
    assert.equal(window.rate(), 10);
  });

  it("forgets a sample when it is older than all of them together", () => {
    const { clock, window } = setUp();
    window.record(4);
    clock.ms = 31_000;
    window.record(2);
    assert.deepEqual([window.max(), window.min(), window.average(), window.sum()], [4, 2, 3, 6]);
    clock.ms = 60_000;
    assert.deepEqual([window.max(), window.min(), window.average(), window.sum()], [2, 2, 2, 2]);
    clock.ms = 200_000;
    assert.equal(window.rate(), 0);
    assert.ok(Number.isNaN(window.max()));
  });
});
