import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createStatusStore } from "#runtime/store/status-store.ts";
import type { StatusChange, StatusEntry } from "#runtime/store/stores.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { goldenTopic } from "./golden.ts";
import { createMemoryTopic } from "./memory-topic.ts";

const signal = AbortSignal.timeout(60_000);
const id = { connector: "c", task: 0 };
const SAFE = { safe: true };
const UNSAFE = { safe: false };

const entry = (state: StatusEntry["state"], workerId: string, generation: number): StatusEntry => ({
  state,
  workerId,
  generation,
  trace: state === "FAILED" ? "because" : null,
  version: "1.0.0",
});

async function openStore(topic = createMemoryTopic()) {
  const log = createSilentLog();
  const view = topic.open();
  const store = createStatusStore(view, { log, now: () => 1234 });
  const changes: StatusChange[] = [];
  store.onChange((change) => changes.push(change));
  await store.start(signal);
  const settle = async () => {
    await store.flush(signal);
    await store.readToEnd(signal);
  };
  return { topic, view, store, changes, log, settle };
}

describe("status store", () => {
  it("shows a status only after it was read back", async () => {
    const { store, changes } = await openStore();
    store.putConnector("c", entry("RUNNING", "a", 1), UNSAFE);
    store.putTask(id, entry("RUNNING", "a", 1), UNSAFE);
    await store.flush(signal);
    assert.deepEqual([store.connector("c"), store.task(id), changes], [null, null, []]);
    await store.readToEnd(signal);
    assert.deepEqual(store.connector("c"), entry("RUNNING", "a", 1));
    assert.deepEqual([...store.tasks("c")], [[0, entry("RUNNING", "a", 1)]]);
    assert.deepEqual(
      changes.map(({ kind }) => kind),
      ["connector", "task"],
    );
  });

  for (const [what, workerId, generation, written] of [
    ["of the same worker, whatever its generation", "a", 9, true],
    ["of another worker in an older generation", "b", 4, true],
    ["of another worker in the same generation", "b", 5, true],
    ["of another worker in a newer generation", "b", 6, false],
  ] as const) {
    it(`${written ? "writes" : "does not write"} safely over a status ${what}`, async () => {
      const { store, settle } = await openStore();
      store.putTask(id, entry("RUNNING", workerId, generation), UNSAFE);
      await settle();
      store.putTask(id, entry("FAILED", "a", 5), SAFE);
      await settle();
      assert.equal(store.task(id)?.state, written ? "FAILED" : "RUNNING");
      store.putConnector("c", entry("RUNNING", workerId, generation), UNSAFE);
      await settle();
      store.putConnector("c", entry("UNASSIGNED", "a", 5), SAFE);
      await settle();
      assert.equal(store.connector("c")?.state, written ? "UNASSIGNED" : "RUNNING");
    });
  }

  it("writes over anything if not asked to be careful", async () => {
    const { store, settle } = await openStore();
    store.putTask(id, entry("RUNNING", "b", 9), UNSAFE);
    await settle();
    store.putTask(id, entry("RUNNING", "a", 5), UNSAFE);
    await settle();
    assert.equal(store.task(id)?.workerId, "a");
  });

  it("gives a write up while Kafka is away if a newer one was put", async () => {
    const { store, topic, view, settle } = await openStore();
    view.failNext(1, () => store.putTask(id, entry("RUNNING", "a", 2), UNSAFE));
    store.putTask(id, entry("UNASSIGNED", "a", 1), SAFE);
    await settle();
    assert.deepEqual(
      topic.records.map(({ value }) => JSON.parse(value ?? "").generation),
      [2],
    );
  });

  it("gives a safe write up if another worker has written meanwhile", async () => {
    const { store, topic, view, settle, log } = await openStore();
    const theirs = '{"state":"RUNNING","trace":null,"worker_id":"b","generation":8}';
    view.failNext(1, () => topic.write("status-task-c-0", theirs));
    store.putTask(id, entry("FAILED", "a", 7), SAFE);
    await settle();
    assert.equal(topic.records.length, 1);
    assert.equal(store.task(id)?.workerId, "b");
    assert.deepEqual(log.entries, []);
  });

  for (const state of ["RESTARTING", "UNASSIGNED"] as const) {
    it(`does not take ${state} of a worker that the group has left behind for what another one runs`, async () => {
      const { store, settle } = await openStore();
      store.putConnector("c", entry("RUNNING", "b", 9), UNSAFE);
      store.putTask(id, entry("RUNNING", "b", 9), UNSAFE);
      await settle();
      store.putConnector("c", entry(state, "a", -1), UNSAFE);
      store.putTask(id, entry(state, "a", 8), UNSAFE);
      await settle();
      assert.equal(store.connector("c")?.state, "RUNNING");
      assert.equal(store.task(id)?.state, "RUNNING");
      store.putConnector("c", entry(state, "b", 9), UNSAFE);
      await settle();
      assert.equal(store.connector("c")?.state, state);
    });
  }

  it("tells each word, also one that it does not count, and none of before its start", async () => {
    const topic = createMemoryTopic();
    topic.write("status-task-c-0", '{"state":"RUNNING","trace":null,"worker_id":"b","generation":9}');
    const { store, changes, settle } = await openStore(topic);
    const words: unknown[] = [];
    const unhear = store.onWord(({ connector, task, entry: { state, workerId } }) =>
      words.push([connector, task, state, workerId]),
    );
    store.putTask(id, entry("RESTARTING", "a", 8), UNSAFE);
    store.putConnector("c", entry("RUNNING", "b", 9), UNSAFE);
    await settle();
    assert.deepEqual(words, [
      ["c", 0, "RESTARTING", "a"],
      ["c", null, "RUNNING", "b"],
    ]);
    assert.deepEqual(
      changes.map(({ kind }) => kind),
      ["connector"],
    );
    unhear();
    store.removeConnector("c", () => true);
    await settle();
    assert.equal(words.length, 2);
  });

  it("gives a safe write up if another worker has written what was not read yet", async () => {
    const { store, topic, settle } = await openStore();
    store.putConnector("c", entry("RUNNING", "a", 7), UNSAFE);
    await settle();
    topic.write("status-connector-c", '{"state":"RUNNING","trace":null,"worker_id":"b","generation":8}');
    store.putConnector("c", entry("UNASSIGNED", "a", 7), SAFE);
    await settle();
    assert.equal(topic.records.length, 2);
    assert.equal(store.connector("c")?.workerId, "b");
  });

  it("ignores that a slow worker lets go of a task which runs elsewhere", async () => {
    const { store, settle } = await openStore();
    store.putTask(id, entry("RUNNING", "b", 5), UNSAFE);
    store.putTask(id, entry("UNASSIGNED", "a", 5), UNSAFE);
    await settle();
    assert.equal(store.task(id)?.state, "RUNNING");
    store.putTask(id, entry("UNASSIGNED", "b", 5), UNSAFE);
    await settle();
    assert.equal(store.task(id)?.state, "UNASSIGNED");
  });

  it("takes a task's UNASSIGNED of a newer generation", async () => {
    const { store, settle } = await openStore();
    store.putTask(id, entry("RUNNING", "b", 5), UNSAFE);
    store.putTask(id, entry("UNASSIGNED", "a", 6), UNSAFE);
    await settle();
    assert.equal(store.task(id)?.state, "UNASSIGNED");
  });

  it("writes DESTROYED as a tombstone", async () => {
    const { store, topic, settle } = await openStore();
    store.putTask(id, entry("RUNNING", "a", 1), UNSAFE);
    store.putTask(id, entry("DESTROYED", "a", 1), UNSAFE);
    await settle();
    assert.deepEqual(topic.records.at(-1), { key: "status-task-c-0", value: null });
    assert.equal(store.task(id), null);
  });

  it("removes a connector with its tasks", async () => {
    const { store, topic, changes, settle } = await openStore();
    store.putConnector("c", entry("RUNNING", "a", 1), UNSAFE);
    for (const task of [0, 1]) store.putTask({ connector: "c", task }, entry("RUNNING", "a", 1), UNSAFE);
    await settle();
    store.removeConnector("c", () => true);
    await settle();
    assert.deepEqual([store.connectors(), store.tasks("c").size], [[], 0]);
    assert.deepEqual(
      topic.records.slice(3).map(({ key, value }) => [key, value]),
      [
        ["status-task-c-0", null],
        ["status-task-c-1", null],
        ["status-connector-c", null],
      ],
    );
    assert.equal(changes.slice(3).length, 3);
  });

  it("withdraws the tombstones of a connector that is there again before Kafka takes them", async () => {
    const { store, topic, view, settle } = await openStore();
    store.putConnector("c", entry("RUNNING", "a", 1), UNSAFE);
    store.putTask(id, entry("RUNNING", "a", 1), UNSAFE);
    await settle();
    const before = topic.records.length;
    let gone = true;
    view.failNext(2, () => {
      gone = false;
    });
    store.removeConnector("c", () => gone);
    await settle();
    assert.equal(topic.records.length, before);
    assert.deepEqual(store.connectors(), ["c"]);
  });

  it("lists connectors of which only a task's status or an active topic is left", async () => {
    const { store, settle } = await openStore();
    store.putTask(id, entry("UNASSIGNED", "a", 1), UNSAFE);
    store.putTopic("d", "lines", 0);
    await settle();
    assert.deepEqual(store.connectors(), ["c", "d"]);
  });

  it("drops the tasks of a connector whose tombstone another worker wrote", async () => {
    const { store, topic, settle } = await openStore();
    store.putTask(id, entry("RUNNING", "a", 1), UNSAFE);
    await settle();
    topic.write("status-connector-c", null);
    await store.readToEnd(signal);
    assert.equal(store.task(id), null);
  });

  it("records an active topic once", async () => {
    const { store, topic, settle } = await openStore();
    store.putTopic("c", "t", 3);
    store.putTopic("c", "t", 1);
    await settle();
    store.putTopic("c", "t", 1);
    await settle();
    assert.deepEqual(topic.records, [
      {
        key: "status-topic-t:connector-c",
        value: '{"topic":{"name":"t","connector":"c","task":3,"discoverTimestamp":1234}}',
      },
    ]);
    assert.deepEqual(store.topics("c"), ["t"]);
  });

  it("resets active topics, after which they can be found again", async () => {
    const { store, changes, settle } = await openStore();
    store.putTopic("c", "b", 0);
    store.putTopic("c", "a", 0);
    await settle();
    assert.deepEqual(store.topics("c"), ["a", "b"]);
    store.resetTopics("c");
    await settle();
    assert.deepEqual(store.topics("c"), []);
    assert.deepEqual(changes.at(-1), { kind: "topic", connector: "c", topic: "b", active: false });
    store.putTopic("c", "a", 0);
    await settle();
    assert.deepEqual(store.topics("c"), ["a"]);
  });

  it("tells nothing of what it reads at start-up", async () => {
    const topic = createMemoryTopic();
    for (const { key, value } of goldenTopic("status")) topic.write(key, value);
    const { store, changes } = await openStore(topic);
    assert.deepEqual(changes, []);
    assert.deepEqual(store.connectors(), ["file-src"]);
    assert.deepEqual(store.topics("file-src"), ["lines"]);
    assert.equal(store.connector("file-src")?.state, "UNASSIGNED");
    assert.equal(store.task({ connector: "file-src", task: 0 })?.state, "UNASSIGNED");
  });

  it("warns about a corrupt record and goes on", async () => {
    const topic = createMemoryTopic();
    topic.write("status-connector-c", "?");
    topic.write("status-connector-d", '{"state":"RUNNING","trace":null,"worker_id":"w","generation":1}');
    const { store, log } = await openStore(topic);
    assert.deepEqual(store.connectors(), ["d"]);
    assert.equal(log.entries.length, 1);
  });
});
