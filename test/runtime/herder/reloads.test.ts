import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createReloads } from "#runtime/herder/reloads.ts";
import { createLog } from "#runtime/log.ts";

function setUp(owned = true) {
  const timers: { action: () => void; ms: number; cancelled: boolean }[] = [];
  const restarted: string[] = [];
  const reloads = createReloads({
    owns: () => owned,
    restart: async (connector, task) => void restarted.push(`${connector}-${task}`),
    setTimer(action, ms) {
      const timer = { action, ms, cancelled: false };
      timers.push(timer);
      return () => {
        timer.cancelled = true;
      };
    },
    log: createLog({ level: "silent" }),
  });
  return { reloads, timers, restarted };
}

describe("reloads", () => {
  it("restarts what has read a value when the value runs out", () => {
    const { reloads, timers, restarted } = setUp();
    reloads.schedule({ connector: "c", task: null, source: "s:p", ttlMs: 5_000 });
    assert.equal(timers[0]?.ms, 5_000);
    timers[0]?.action();
    assert.deepEqual(restarted, ["c-null"]);
    assert.equal(reloads.pending(), 0);
  });

  it("keeps one pending per connector, task and source, set anew at each reading", () => {
    const { reloads, timers } = setUp();
    reloads.schedule({ connector: "c", task: 0, source: "s:p", ttlMs: 5_000 });
    reloads.schedule({ connector: "c", task: 0, source: "s:p", ttlMs: 6_000 });
    reloads.schedule({ connector: "c", task: 1, source: "s:p", ttlMs: 7_000 });
    assert.deepEqual(
      timers.map(({ ms, cancelled }) => [ms, cancelled]),
      [
        [5_000, true],
        [6_000, false],
        [7_000, false],
      ],
    );
    assert.equal(reloads.pending(), 2);
  });

  it("leaves what runs elsewhere by now alone", () => {
    const { reloads, timers, restarted } = setUp(false);
    reloads.schedule({ connector: "c", task: 0, source: "s:p", ttlMs: 5_000 });
    timers[0]?.action();
    assert.deepEqual(restarted, []);
  });

  it("neither spins at 0 nor overflows Node's timers", () => {
    const { reloads, timers } = setUp();
    reloads.schedule({ connector: "a", task: 0, source: "s", ttlMs: 0 });
    reloads.schedule({ connector: "b", task: 0, source: "s", ttlMs: 1e15 });
    assert.deepEqual(
      timers.map(({ ms }) => ms),
      [1_000, 2 ** 31 - 1],
    );
  });
});
