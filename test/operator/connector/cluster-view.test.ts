import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ConnectorSnapshot, StreamEvent } from "@headrace/contract";
import { type ConnectorMap, foldEvent } from "#operator/connector/cluster-view.ts";

function snapshot(traits: Partial<ConnectorSnapshot> = {}): ConnectorSnapshot {
  const status: ConnectorSnapshot["status"] = {
    name: "a",
    type: "source",
    connector: { state: "RUNNING", worker_id: "w:1" },
    tasks: [
      { id: 0, state: "RUNNING", worker_id: "w:1" },
      { id: 1, state: "RUNNING", worker_id: "w:2" },
    ],
  };
  return { config: { name: "a" }, targetState: "STARTED", taskCount: 2, status, topics: [], ...traits };
}

const BEFORE: ConnectorMap = new Map([
  ["a", snapshot()],
  ["b", snapshot({ config: { name: "b" } })],
]);

function status(task: number | null, traits: object): StreamEvent {
  return { kind: "status", connector: "a", task, state: "RUNNING", workerId: "w:1", generation: 2, ...traits };
}

describe("foldEvent", () => {
  it("replaces everything by a snapshot and reports differences only", () => {
    const connectors = { a: snapshot(), c: snapshot({ config: { name: "c" } }) };
    const folded = foldEvent(BEFORE, { kind: "snapshot", workerId: "w", connectors });
    assert.deepEqual([...folded.connectors.keys()], ["a", "c"]);
    assert.deepEqual(folded.changed, ["b", "c"]);
  });

  it("takes up a failed task with its trace and keeps the others", () => {
    const { connectors, changed } = foldEvent(BEFORE, status(1, { state: "FAILED", trace: "boom" }));
    assert.deepEqual(changed, ["a"]);
    const tasks = connectors.get("a")?.status?.tasks;
    assert.deepEqual(tasks?.[0], { id: 0, state: "RUNNING", worker_id: "w:1" });
    assert.deepEqual(tasks?.[1], { id: 1, state: "FAILED", worker_id: "w:1", trace: "boom" });
    assert.equal(BEFORE.get("a")?.status?.tasks[1]?.state, "RUNNING");
  });

  it("adds a task in order, and removes one that is gone", () => {
    const less = foldEvent(BEFORE, status(0, { state: "DESTROYED" })).connectors;
    assert.deepEqual(
      less.get("a")?.status?.tasks.map(({ id }) => id),
      [1],
    );
    const more = foldEvent(less, status(0, {})).connectors;
    assert.deepEqual(
      more.get("a")?.status?.tasks.map(({ id }) => id),
      [0, 1],
    );
  });

  it("forgets the status of a connector that is gone", () => {
    assert.equal(foldEvent(BEFORE, status(null, { state: "DESTROYED" })).connectors.get("a")?.status, null);
  });

  it("takes up the connector's own state, its first one too", () => {
    const fresh: ConnectorMap = new Map([["a", snapshot({ status: null })]]);
    const after = foldEvent(fresh, status(null, { state: "FAILED", trace: "boom" })).connectors.get("a")?.status;
    assert.deepEqual(after?.connector, { state: "FAILED", worker_id: "w:1", trace: "boom" });
  });

  it("adds, changes and removes connectors", () => {
    const added = foldEvent(BEFORE, { kind: "config", connector: "c", snapshot: snapshot() });
    assert.deepEqual(added.changed, ["c"]);
    const removed = foldEvent(BEFORE, { kind: "config", connector: "a", snapshot: null });
    assert.deepEqual([...removed.connectors.keys()], ["b"]);
  });

  it("keeps a task's state that comes before its connector's", () => {
    const fresh: ConnectorMap = new Map([["a", snapshot({ status: null })]]);
    const task = foldEvent(fresh, status(1, {})).connectors;
    assert.equal(task.get("a")?.status?.connector.state, "UNASSIGNED");
    const both = foldEvent(task, status(null, {})).connectors.get("a")?.status;
    assert.equal(both?.connector.state, "RUNNING");
    assert.deepEqual(both?.tasks, [{ id: 1, state: "RUNNING", worker_id: "w:1" }]);
  });

  const quiet: readonly [string, StreamEvent][] = [
    ["a ping", { kind: "ping" }],
    ["a repeated state", status(0, {})],
    ["a repeated configuration", { kind: "config", connector: "a", snapshot: snapshot() }],
    ["the end of an unknown connector", { kind: "config", connector: "z", snapshot: null }],
    ["the state of an unknown connector", { ...status(0, {}), connector: "z" } as StreamEvent],
  ];
  for (const [what, event] of quiet) {
    it(`reports nothing for ${what}`, () => {
      const folded = foldEvent(BEFORE, event);
      assert.deepEqual(folded.changed, []);
      assert.equal(folded.connectors, BEFORE);
    });
  }
});
