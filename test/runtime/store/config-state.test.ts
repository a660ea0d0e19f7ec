import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ConfigState, EMPTY_CONFIG, foldConfig } from "#runtime/store/config-state.ts";
import { type GoldenRecord, goldenTopic, toLog } from "./golden.ts";

const properties = (values: Record<string, string>) => JSON.stringify({ properties: values });
const connector = (name: string, values: Record<string, string> = { k: "1" }): GoldenRecord => ({
  key: `connector-${name}`,
  value: properties(values),
});
const task = (name: string, id: number, values: Record<string, string> = { t: `${id}` }): GoldenRecord => ({
  key: `task-${name}-${id}`,
  value: properties(values),
});
const commit = (name: string, tasks: number): GoldenRecord => ({ key: `commit-${name}`, value: `{"tasks":${tasks}}` });
const target = (name: string, state: string): GoldenRecord => ({
  key: `target-state-${name}`,
  value: JSON.stringify({ state, "state.v2": state }),
});
const tombstone = (key: string): GoldenRecord => ({ key, value: null });

const fold = (records: readonly GoldenRecord[], state: ConfigState = EMPTY_CONFIG) =>
  foldConfig(state, toLog(records, state.offset < 0n ? 0n : state.offset));

const changesOf = (records: readonly GoldenRecord[]) =>
  fold(records).changes.map((change) => `${change.kind}${"connector" in change ? ` ${change.connector}` : ""}`);

describe("fold of the config topic", () => {
  it("starts at offset -1 and counts every record, understood or not", () => {
    assert.equal(EMPTY_CONFIG.offset, -1n);
    assert.equal(fold([connector("c"), { key: "nonsense", value: "x" }]).state.offset, 2n);
  });

  it("shows a connector, started, without tasks before a commit", () => {
    const { state } = fold([connector("c", { k: "1" }), task("c", 0)]);
    assert.deepEqual(state.connectors.get("c"), {
      config: { k: "1" },
      targetState: "STARTED",
      tasks: null,
      appliedConfig: null,
      taskGeneration: 0,
      inconsistent: false,
    });
  });

  it("makes task configurations effective with their commit", () => {
    const { state, changes } = fold([connector("c"), task("c", 1), task("c", 0), commit("c", 2)]);
    const entry = state.connectors.get("c");
    assert.deepEqual(entry?.tasks, [{ t: "0" }, { t: "1" }]);
    assert.deepEqual(entry?.appliedConfig, { k: "1" });
    assert.deepEqual(changes.at(-1), { kind: "tasksCommitted", connector: "c" });
    assert.deepEqual([...state.pendingFencing], ["c"]);
  });

  it("keeps the applied configuration of the commit when the connector's changes later", () => {
    const { state } = fold([connector("c", { k: "1" }), task("c", 0), commit("c", 1), connector("c", { k: "2" })]);
    const entry = state.connectors.get("c");
    assert.deepEqual([entry?.config, entry?.appliedConfig], [{ k: "2" }, { k: "1" }]);
    assert.deepEqual(entry?.tasks, [{ t: "0" }]);
  });

  it("takes a commit of no tasks for a good one", () => {
    const entry = fold([connector("c"), task("c", 0), commit("c", 1), commit("c", 0)]).state.connectors.get("c");
    assert.deepEqual(entry?.tasks, []);
    assert.equal(entry?.inconsistent, false);
  });

  it("tolerates task configurations beyond the committed number", () => {
    const entry = fold([connector("c"), task("c", 0), task("c", 1), commit("c", 1)]).state.connectors.get("c");
    assert.deepEqual(entry?.tasks, [{ t: "0" }]);
  });

  for (const [what, records] of [
    ["a missing task", [task("c", 0), commit("c", 2)]],
    ["a gap", [task("c", 0), task("c", 2), commit("c", 2)]],
    ["a commit that compaction put before its tasks", [commit("c", 1), task("c", 0)]],
  ] as const) {
    it(`is inconsistent after ${what}, until a good commit comes`, () => {
      const broken = fold([connector("c"), ...records]).state;
      assert.equal(broken.connectors.get("c")?.inconsistent, true);
      assert.equal(broken.connectors.get("c")?.tasks, null);
      const healed = fold([task("c", 0), commit("c", 1)], broken).state;
      assert.equal(healed.connectors.get("c")?.inconsistent, false);
      assert.deepEqual(healed.connectors.get("c")?.tasks, [{ t: "0" }]);
    });
  }

  it("drops what was deferred with every commit, a bad one too", () => {
    const { state } = fold([connector("c"), task("c", 0), commit("c", 2), task("c", 1), commit("c", 2)]);
    assert.equal(state.connectors.get("c")?.inconsistent, true);
    assert.equal(state.deferred.size, 0);
  });

  it("ignores a commit of a connector that is not there (KAFKA-16838)", () => {
    const { state, changes } = fold([task("gone", 0), commit("gone", 1)]);
    assert.equal(state.connectors.size, 0);
    assert.equal(state.deferred.size, 0);
    assert.deepEqual(changes, []);
  });

  it("forgets everything about a deleted connector", () => {
    const records = [connector("c"), target("c", "PAUSED"), task("c", 0), commit("c", 1), task("c", 0)];
    const { state, changes } = fold([...records, tombstone("connector-c"), tombstone("target-state-c")]);
    assert.deepEqual(changes.at(-1), { kind: "connectorRemoved", connector: "c" });
    assert.deepEqual([state.connectors.size, state.deferred.size, state.targetStates.size], [0, 0, 0]);
  });

  it("tells the task sets of a connector apart, also when it was deleted and made anew", () => {
    const made = [connector("c"), task("c", 0), commit("c", 1)];
    const first = fold(made).state;
    const again = fold([tombstone("connector-c"), ...made], first).state;
    assert.ok((again.connectors.get("c")?.taskGeneration ?? 0) > (first.connectors.get("c")?.taskGeneration ?? 0));
  });

  it("takes the initial state that was written before the connector", () => {
    const { state, changes } = fold([target("c", "STOPPED"), connector("c")]);
    assert.equal(state.connectors.get("c")?.targetState, "STOPPED");
    assert.deepEqual(changes, [{ kind: "connectorUpdated", connector: "c" }]);
  });

  it("tells target states only when they change", () => {
    assert.deepEqual(
      changesOf([connector("c"), target("c", "STARTED"), target("c", "PAUSED"), target("c", "PAUSED")]),
      ["connectorUpdated c", "targetStateChanged c"],
    );
  });

  it("starts a connector whose target state was deleted, silently", () => {
    const { state, changes } = fold([connector("c"), target("c", "PAUSED"), tombstone("target-state-c")]);
    assert.equal(state.connectors.get("c")?.targetState, "STARTED");
    assert.equal(changes.length, 2);
  });

  it("clears pending fencing with a task count, and sets it again with a commit", () => {
    const count = { key: "tasks-fencing-c", value: '{"task-count":1}' };
    const fenced = fold([connector("c"), task("c", 0), commit("c", 1), count]).state;
    assert.deepEqual([fenced.pendingFencing.has("c"), fenced.taskCounts.get("c")], [false, 1]);
    assert.ok(fold([task("c", 0), commit("c", 1)], fenced).state.pendingFencing.has("c"));
  });

  it("remembers the task count of a deleted connector, whose zombies a new one of its name has to fence", () => {
    const count = { key: "tasks-fencing-c", value: '{"task-count":3}' };
    const records = [connector("c"), commit("c", 0), count, tombstone("connector-c"), tombstone("target-state-c")];
    const again = fold([connector("c"), task("c", 0), commit("c", 1)], fold(records).state).state;
    assert.deepEqual([again.taskCounts.get("c"), again.pendingFencing.has("c")], [3, true]);
    // Compaction leaves this order, and a commit of the former connector.
    const compacted = fold([commit("c", 3), count, tombstone("connector-c"), connector("c"), commit("c", 0)]).state;
    assert.deepEqual([compacted.taskCounts.get("c"), compacted.pendingFencing.has("c")], [3, true]);
  });

  it("tells session keys and restart requests", () => {
    const key = { key: "session-key", value: '{"key":"AAEC","algorithm":"HmacSHA256","creation-timestamp":5}' };
    const restart = { key: "restart-connector-c", value: '{"include-tasks":true,"only-failed":true}' };
    const { state, changes } = fold([key, restart]);
    assert.deepEqual(state.sessionKey, { key: Buffer.from([0, 1, 2]), algorithm: "HmacSHA256", createdAtMs: 5 });
    assert.deepEqual(changes, [
      { kind: "sessionKeyUpdated" },
      { kind: "restartRequested", connector: "c", includeTasks: true, onlyFailed: true },
    ]);
  });

  it("reports records that it cannot read, changes nothing and goes on", () => {
    const before = fold([connector("c"), task("c", 0), commit("c", 1)]).state;
    const bad = [
      { key: "connector-c", value: "{" },
      { key: "task-c-x", value: "{}" },
      { key: "commit-c", value: "[]" },
      { key: "target-state-c", value: '{"state":1}' },
      { key: "session-key", value: null },
      { key: "who-knows", value: "1" },
    ];
    const { state, changes, problems } = fold(bad, before);
    assert.deepEqual(
      problems.map(({ offset }) => offset),
      [3n, 4n, 5n, 6n, 7n, 8n],
    );
    assert.deepEqual(changes, []);
    assert.deepEqual({ ...state, offset: before.offset }, before);
    assert.equal(state.offset, 9n);
  });

  it("leaves the state that it was given as it was", () => {
    const first = fold([connector("c")]).state;
    fold([tombstone("connector-c"), connector("d")], first);
    assert.deepEqual([...first.connectors.keys()], ["c"]);
  });

  it("gives the same state however the records are cut into batches", () => {
    const records = goldenTopic("config");
    const whole = fold(records).state;
    const single = records.reduce((state, record) => fold([record], state).state, EMPTY_CONFIG);
    assert.deepEqual(single, whole);
  });

  it("reads what a JVM worker left", () => {
    const { state, problems } = fold(goldenTopic("config"));
    assert.deepEqual(problems, []);
    assert.deepEqual([...state.connectors.keys()], ["file-src"]);
    const entry = state.connectors.get("file-src");
    assert.equal(entry?.targetState, "STARTED");
    assert.equal(entry?.tasks?.[0]?.["task.class"], "org.apache.kafka.connect.file.FileStreamSourceTask");
    assert.deepEqual(entry?.appliedConfig, entry?.config);
    assert.equal(state.taskCounts.get("file-src"), 1);
    assert.equal(state.sessionKey?.key.length, 32);
  });
});
