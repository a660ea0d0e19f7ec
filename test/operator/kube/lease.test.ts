import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isKubeError } from "#operator/kube/errors.ts";
import { createLeaderElection, createLeaseClocks, type LeaderElection } from "#operator/kube/lease.ts";
import { type Lease, Leases } from "#operator/kube/resources.ts";
import { createLog } from "#operator/log.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeKube, type FakeKube } from "#support/fake-kube.ts";

const KEY = { namespace: "n", name: "l" };
const TIMES = { durationMs: 1_000, renewDeadlineMs: 400, retryMs: 20 };
const log = createLog("silent");

function createClock() {
  let skippedMs = 0;
  return {
    /** The process sleeps: its timers do not run, time does. */
    jump(ms: number) {
      skippedMs += ms;
    },
    now: () => performance.now() + skippedMs,
  };
}

function candidate(kube: FakeKube, identity: string, clock = createClock()): LeaderElection {
  const clocks = { holding: clock.now, observing: clock.now };
  return createLeaderElection({ client: kube.client, lease: KEY, identity, log, times: TIMES, clocks });
}

/** Works until told to stop; `led` counts how often it began. */
function worker() {
  const work = {
    led: 0,
    working: false,
    run: async (signal: AbortSignal) => {
      work.led += 1;
      work.working = true;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      work.working = false;
    },
  };
  return work;
}

function holder(kube: FakeKube): string | undefined {
  return kube.find<Lease>(Leases, KEY)?.spec?.holderIdentity;
}

describe("leader election", () => {
  it("lets one of two work, and the other as soon as the first gives the lease back", async () => {
    const kube = createFakeKube();
    const [a, b] = [worker(), worker()];
    const [stopA, stopB] = [new AbortController(), new AbortController()];
    const runA = candidate(kube, "a").run(a.run, stopA.signal);
    await eventually("a works", () => a.working);
    const runB = candidate(kube, "b").run(b.run, stopB.signal);
    const startedAt = performance.now();
    await eventually("a has renewed a few times", () => performance.now() - startedAt > 1_500);
    assert.deepEqual([a.working, b.led], [true, 0]);
    stopA.abort();
    await runA;
    assert.equal(holder(kube), "");
    assert.equal(a.working, false);
    await eventually("b works", () => b.working, 500);
    assert.equal(kube.find<Lease>(Leases, KEY)?.spec?.leaseTransitions, 1);
    stopB.abort();
    await runB;
  });

  it("stops work when it cannot renew, and works again when it can", async () => {
    const kube = createFakeKube();
    const a = worker();
    const stop = new AbortController();
    const election = candidate(kube, "a");
    const running = election.run(a.run, stop.signal);
    await eventually("a works", () => a.working);
    for (let i = 0; i < 60; i += 1) kube.failNext("get", "unavailable");
    await eventually("a has stopped", () => !a.working, 700);
    assert.equal(election.isLeader(), false);
    assert.throws(
      () => election.fence(),
      (error) => isKubeError(error, "fenced"),
    );
    await eventually("a works again", () => a.led === 2);
    stop.abort();
    await running;
  });

  it("stops work at once when another one has the lease", async () => {
    const kube = createFakeKube();
    const a = worker();
    const stop = new AbortController();
    const running = candidate(kube, "a").run(a.run, stop.signal);
    await eventually("a works", () => a.working);
    const lease = kube.find<Lease>(Leases, KEY);
    assert.ok(lease);
    kube.put<Lease>(Leases, { ...lease, spec: { ...lease.spec, holderIdentity: "intruder" } });
    await eventually("a has stopped", () => !a.working, 200);
    stop.abort();
    await running;
    assert.equal(holder(kube), "intruder");
  });

  it("fences a process that was asleep before any of its timers can tell it", async () => {
    const kube = createFakeKube();
    const clock = createClock();
    const a = worker();
    const stop = new AbortController();
    const election = candidate(kube, "a", clock);
    const running = election.run(a.run, stop.signal);
    await eventually("a works", () => a.working);
    election.fence();
    clock.jump(TIMES.renewDeadlineMs);
    assert.throws(
      () => election.fence(),
      (error) => isKubeError(error, "fenced"),
    );
    stop.abort();
    await running;
  });

  it("ends with an error when the work does not stop in time", async () => {
    const kube = createFakeKube();
    let began = false;
    const stubborn = () => {
      began = true;
      return new Promise<void>(() => undefined);
    };
    const running = candidate(kube, "a").run(stubborn, new AbortController().signal);
    await eventually("it works", () => began);
    for (let i = 0; i < 200; i += 1) kube.failNext("get", "unavailable");
    await assert.rejects(running, /did not end within 300 ms/);
  });
});

describe("lease clocks", () => {
  it("believe for our own lease whichever clock says that more time passed", () => {
    let [monotonic, wall] = [1_000, 5_000];
    const { holding, observing } = createLeaseClocks(
      () => monotonic,
      () => wall,
    );
    const start = holding();
    [monotonic, wall] = [1_100, 5_100];
    assert.equal(holding() - start, 100);
    [monotonic, wall] = [1_200, 65_100];
    assert.equal(holding() - start, 60_100, "the machine was suspended");
    [monotonic, wall] = [1_300, 100];
    assert.equal(holding() - start, 60_200, "the wall clock was set back");
    assert.equal(observing(), 1_300);
  });
});
