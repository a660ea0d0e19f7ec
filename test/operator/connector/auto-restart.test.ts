import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConnectorSnapshot, InstanceState, KafkaConnectorStatus } from "@headrace/contract";
import {
  forgetRestarts,
  keepBook,
  noteRestarts,
  planRestarts,
  type RestartBook,
  type RestartPolicy,
  toAutoRestartStatus,
  toRestartPolicy,
} from "#operator/connector/auto-restart.ts";

const POLICY: RestartPolicy = { baseMs: 1_000, maxMs: 60_000, maxRestarts: 3, resetAfterMs: 600_000 };
const T0 = Date.parse("2026-01-01T00:00:00Z");

function seen(connector: InstanceState, ...tasks: readonly InstanceState[]): ConnectorSnapshot {
  const status: ConnectorSnapshot["status"] = {
    name: "orders",
    type: "source",
    connector: { state: connector, worker_id: "w" },
    tasks: tasks.map((state, id) => ({ id, state, worker_id: "w" })),
  };
  return { config: {}, targetState: "STARTED", taskCount: tasks.length, status, topics: [] };
}

/** A connector's life: a clock, what the workers tell, and restarts as they are decided. */
function life(policy: RestartPolicy = POLICY, recorded?: KafkaConnectorStatus["autoRestart"]) {
  let book: RestartBook = new Map();
  return {
    at(seconds: number, actual: ConnectorSnapshot) {
      const nowMs = T0 + seconds * 1_000;
      book = keepBook(book, { actual, policy, recorded, nowMs, random: () => 0 });
      const plan = planRestarts(book, policy, nowMs);
      return { ...plan, nextSeconds: plan.nextAtMs === null ? null : (plan.nextAtMs - T0) / 1_000 };
    },
    restarted(seconds: number, ...ids: readonly (number | "connector")[]) {
      book = noteRestarts(book, ids, { policy, nowMs: T0 + seconds * 1_000, random: () => 0 });
    },
    forget() {
      book = forgetRestarts(book);
    },
    status: () => toAutoRestartStatus(book),
  };
}

describe("automatic restarts", () => {
  it("restart a failed task after a second, and wait twice as long each time", () => {
    const one = life();
    const failed = seen("RUNNING", "FAILED", "RUNNING");
    assert.deepEqual(one.at(0, failed).due, []);
    assert.equal(one.at(0.5, failed).nextSeconds, 1);
    assert.deepEqual(one.at(1, failed), { ...one.at(1, failed), due: [0], all: true });
    one.restarted(1, 0);
    assert.deepEqual(one.at(1, failed).due, [], "the workers have not told of it yet");
    one.at(1.1, seen("RUNNING", "RUNNING", "RUNNING"));
    assert.equal(one.at(2, failed).nextSeconds, 4);
    one.restarted(4, 0);
    one.at(4.1, seen("RUNNING", "RESTARTING", "RUNNING"));
    assert.equal(one.at(5, failed).nextSeconds, 9);
    assert.deepEqual(one.status(), {
      count: 2,
      lastRestartTimestamp: "2026-01-01T00:00:04.000Z",
      tasks: [{ id: 0, count: 2 }],
    });
  });

  it("count each task for itself, and the connector, too", () => {
    const one = life();
    one.at(0, seen("FAILED", "FAILED", "RUNNING"));
    assert.deepEqual(one.at(1, seen("FAILED", "FAILED", "RUNNING")).due, ["connector", 0]);
    one.restarted(1, "connector", 0);
    one.at(1.5, seen("RUNNING", "RUNNING", "RUNNING"));
    const later = one.at(2, seen("RUNNING", "FAILED", "FAILED"));
    assert.deepEqual([later.due, later.nextSeconds], [[], 3]);
    assert.deepEqual(one.at(3, seen("RUNNING", "FAILED", "FAILED")), {
      ...one.at(3, seen("RUNNING", "FAILED", "FAILED")),
      due: [1],
      all: false,
    });
  });

  it("end when the budget is spent, and begin again when somebody has looked at it", () => {
    const one = life({ ...POLICY, maxRestarts: 1 });
    const failed = seen("RUNNING", "FAILED");
    one.at(0, failed);
    one.restarted(1, 0);
    one.at(1.1, seen("RUNNING", "RUNNING"));
    const spent = one.at(100, failed);
    assert.deepEqual([spent.exhausted, spent.due, spent.nextAtMs], [[0], [], null]);
    one.forget();
    assert.equal(one.status(), undefined);
    assert.deepEqual(one.at(100, failed).exhausted, []);
    assert.deepEqual(one.at(101, failed).due, [0]);
  });

  it("are forgotten after a healthy while", () => {
    const one = life();
    one.at(0, seen("RUNNING", "FAILED"));
    one.restarted(1, 0);
    assert.deepEqual(one.at(1.1, seen("RUNNING", "RUNNING")).proving, [0]);
    const proven = one.at(4, seen("RUNNING", "RUNNING"));
    assert.deepEqual([proven.proving, proven.nextSeconds], [[], 601.1]);
    assert.equal(one.status()?.count, 1);
    assert.equal(one.at(602, seen("RUNNING", "RUNNING")).nextAtMs, null);
    assert.equal(one.status(), undefined);
  });

  it("go on from what an earlier operator wrote down", () => {
    const recorded = { count: 2, tasks: [{ id: 1, count: 2 }], lastRestartTimestamp: "2025-12-31T23:59:59.000Z" };
    const one = life(POLICY, recorded);
    assert.equal(one.at(0, seen("RUNNING", "RUNNING", "FAILED")).nextSeconds, 4);
    assert.deepEqual(one.status(), recorded);
    const total = life(POLICY, { count: 3 });
    assert.deepEqual(total.at(0, seen("RUNNING", "FAILED")).exhausted, [0]);
  });

  it("do not forget while the workers tell nothing", () => {
    const one = life();
    one.at(0, seen("RUNNING", "FAILED"));
    one.restarted(1, 0);
    one.at(2, { ...seen("RUNNING"), status: null });
    assert.equal(one.status()?.count, 1);
  });

  it("read their policy, which is off without the field", () => {
    assert.equal(toRestartPolicy(undefined), null);
    assert.equal(toRestartPolicy({ enabled: false }), null);
    const defaults = { baseMs: 1_000, maxMs: 300_000, maxRestarts: null, resetAfterMs: 600_000 };
    assert.deepEqual(toRestartPolicy({}), defaults);
    const wanted = {
      enabled: true,
      maxRestarts: 7,
      backoff: { initialSeconds: 2, maxSeconds: 9 },
      resetAfterSeconds: 5,
    };
    assert.deepEqual(toRestartPolicy(wanted), { baseMs: 2_000, maxMs: 9_000, maxRestarts: 7, resetAfterMs: 5_000 });
  });
});
