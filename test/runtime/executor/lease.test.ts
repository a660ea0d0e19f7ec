import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLease } from "#runtime/executor/lease.ts";

/** A lease on a clock that the test moves; timers fire when their time is reached, unless the event loop is blocked. */
function setUp() {
  let now = 0;
  let blocked = false;
  let expirations = 0;
  let timer: { at: number; callback: () => void } | null = null;
  const lease = createLease(
    () => {
      expirations += 1;
    },
    {
      now: () => now,
      schedule(callback, delayMs) {
        const own = { at: now + delayMs, callback };
        timer = own;
        return () => {
          if (timer === own) timer = null;
        };
      },
    },
  );
  return {
    lease,
    expirations: () => expirations,
    block: () => {
      blocked = true;
    },
    pass(ms: number) {
      now += ms;
      if (blocked || timer === null || timer.at > now) return;
      const { callback } = timer;
      timer = null;
      callback();
    },
  };
}

describe("lease", () => {
  it("is not held before it was given, and is granted with the first renewal", async () => {
    const { lease } = setUp();
    assert.equal(lease.held(), false);
    const granted = lease.granted(new AbortController().signal);
    lease.renew(0);
    assert.equal(lease.held(), false);
    lease.renew(100);
    await granted;
    assert.equal(lease.held(), true);
  });

  it("runs out once, at its end", () => {
    const { lease, pass, expirations } = setUp();
    lease.renew(100);
    pass(99);
    assert.deepEqual([lease.held(), expirations()], [true, 0]);
    pass(1);
    assert.deepEqual([lease.held(), expirations()], [false, 1]);
  });

  it("is extended by renewals, never shortened", () => {
    const { lease, pass, expirations } = setUp();
    lease.renew(100);
    pass(50);
    lease.renew(100);
    lease.renew(10);
    pass(99);
    assert.equal(lease.held(), true);
    pass(1);
    assert.deepEqual([lease.held(), expirations()], [false, 1]);
  });

  it("is not held while a blocked event loop keeps the timer from firing (invariant 3; guard: held asks the clock)", () => {
    const { lease, pass, block, expirations } = setUp();
    lease.renew(100);
    block();
    pass(100);
    assert.deepEqual([lease.held(), expirations()], [false, 0]);
  });

  it("is not revived by a renewal that comes after its end (invariant 3; guard: renew checks the clock)", () => {
    const { lease, pass, block, expirations } = setUp();
    lease.renew(100);
    block();
    pass(150);
    lease.renew(1_000);
    assert.deepEqual([lease.held(), expirations()], [false, 1]);
    lease.renew(1_000);
    assert.deepEqual([lease.held(), expirations()], [false, 1]);
  });

  it("ends at once with a renewal of 0", () => {
    const { lease, expirations } = setUp();
    lease.renew(100);
    lease.renew(0);
    assert.deepEqual([lease.held(), expirations()], [false, 1]);
  });

  it("lets go of those who wait for it when their signal aborts", async () => {
    const { lease } = setUp();
    await assert.rejects(lease.granted(AbortSignal.abort(new Error("stopped"))), /stopped/);
  });
});
