import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLease } from "#runtime/group/lease.ts";
import { FakeClock } from "./fake-clock.ts";

const SESSION_MS = 10_000;
const REBALANCE_MS = 60_000;

describe("lease (invariant 3)", () => {
  it("ends a little before the session", () => {
    const lease = createLease({
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      clock: new FakeClock(),
    });
    assert.equal(lease.untilMs(5_000), 14_000);
    assert.equal(lease.overdueMs(), null);
  });

  it("never reaches beyond the rebalance time-out while the host is busy", async () => {
    const clock = new FakeClock();
    const lease = createLease({ sessionTimeoutMs: SESSION_MS, rebalanceTimeoutMs: REBALANCE_MS, clock });
    const busyAtMs = clock.now();
    const done = lease.hostIsBusy();
    await clock.advance(53_000);
    assert.equal(lease.untilMs(clock.now()), busyAtMs + 54_000);
    assert.equal(lease.overdueMs(), null);
    await clock.advance(1_000);
    assert.equal(lease.overdueMs(), 54_000);
    done();
    assert.equal(lease.overdueMs(), null);
    assert.equal(lease.untilMs(clock.now()), clock.now() + 9_000);
  });

  it("is shorter than a rebalance time-out that is shorter than the session", () => {
    const lease = createLease({ sessionTimeoutMs: SESSION_MS, rebalanceTimeoutMs: 5_000, clock: new FakeClock() });
    assert.equal(lease.untilMs(0), 4_500);
  });
});
