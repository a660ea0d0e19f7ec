import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createConfigStore } from "#runtime/store/config-store.ts";
import type { ConfigChange } from "#runtime/store/stores.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { createMemoryTopic } from "./memory-topic.ts";

const signal = AbortSignal.timeout(60_000);

async function openStore(topic = createMemoryTopic(), confirmLeader?: () => Promise<void>) {
  const log = createSilentLog();
  const view = topic.open();
  const store = createConfigStore(view, { log, ...(confirmLeader !== undefined && { confirmLeader }) });
  const changes: ConfigChange[] = [];
  store.onChange((change) => changes.push(change));
  await store.start(signal);
  return { topic, view, store, changes, log };
}

const keys = (topic: ReturnType<typeof createMemoryTopic>) =>
  topic.records.map(({ key, value }) => (value === null ? `${key} gone` : key));

describe("config store", () => {
  it("writes the initial state before the connector, and shows both when it resolves", async () => {
    const { store, topic } = await openStore();
    await store.putConnector("c", { name: "c" }, "STOPPED", signal);
    assert.deepEqual(keys(topic), ["target-state-c", "connector-c"]);
    assert.equal(store.config().connectors.get("c")?.targetState, "STOPPED");
    assert.equal(store.config().offset, 2n);
  });

  it("writes only the connector if no initial state is wanted", async () => {
    const { store, topic } = await openStore();
    await store.putConnector("c", { name: "c" }, null, signal);
    assert.deepEqual(keys(topic), ["connector-c"]);
  });

  it("deletes by two tombstones", async () => {
    const { store, topic } = await openStore();
    await store.putConnector("c", {}, null, signal);
    await store.removeConnector("c", signal);
    assert.deepEqual(keys(topic).slice(1), ["connector-c gone", "target-state-c gone"]);
    assert.equal(store.config().connectors.size, 0);
  });

  it("writes task configurations, then their commit", async () => {
    const { store, topic, changes } = await openStore();
    await store.putConnector("c", {}, null, signal);
    await store.putTaskConfigs("c", [{ a: "0" }, { a: "1" }], signal);
    assert.deepEqual(keys(topic).slice(1), ["task-c-0", "task-c-1", "commit-c"]);
    assert.deepEqual(store.config().connectors.get("c")?.tasks, [{ a: "0" }, { a: "1" }]);
    assert.deepEqual(changes.at(-1), { kind: "tasksCommitted", connector: "c" });
  });

  it("writes only the commit if there are no tasks", async () => {
    const { store, topic } = await openStore();
    await store.putConnector("c", {}, null, signal);
    await store.putTaskConfigs("c", [], signal);
    assert.deepEqual(topic.records.at(-1), { key: "commit-c", value: '{"tasks":0}' });
    assert.deepEqual(store.config().connectors.get("c")?.tasks, []);
  });

  it("reads what came since before it writes task configurations", async () => {
    const { store, topic } = await openStore();
    topic.write("connector-c", '{"properties":{"from":"elsewhere"}}');
    await store.putTaskConfigs("c", [{}], signal);
    assert.deepEqual(store.config().connectors.get("c")?.appliedConfig, { from: "elsewhere" });
  });

  it("asks for leadership before every attempt of a privileged write, and writes nothing without", async () => {
    let leads = true;
    let asked = 0;
    const { store, topic, view } = await openStore(createMemoryTopic(), async () => {
      asked += 1;
      if (!leads) throw new Error("not the leader");
    });
    await store.putConnector("c", {}, null, signal);
    await store.putTaskConfigs("c", [{}], signal);
    assert.equal(asked, 3);
    const before = topic.records.length;
    view.failNext(5, () => {
      leads = false;
    });
    await assert.rejects(store.putConnector("c", { k: "late" }, null, signal), /not the leader/);
    await assert.rejects(store.removeConnector("c", signal), /not the leader/);
    await assert.rejects(store.putTaskConfigs("c", [], signal), /not the leader/);
    const key = { key: Buffer.alloc(32), algorithm: "HmacSHA256", createdAtMs: 1 };
    await assert.rejects(store.putSessionKey(key, signal), /not the leader/);
    const scope = { includeTasks: true, onlyFailed: false };
    await assert.rejects(store.putRestart("c", scope, signal), /not the leader/);
    assert.equal(topic.records.length, before);
  });

  it("lets any worker write a target state, and does not wait to read it", async () => {
    const { store, topic, changes, view } = await openStore(createMemoryTopic(), async () => {
      throw new Error("not the leader");
    });
    topic.write("connector-c", '{"properties":{}}');
    await store.putTargetState("c", "PAUSED", signal);
    assert.deepEqual(changes, []);
    view.deliver();
    assert.deepEqual(changes.at(-1), { kind: "targetStateChanged", connector: "c" });
  });

  it("lets any worker write the level of a logger, which all workers hear of", async () => {
    const { store, topic, changes, view } = await openStore(createMemoryTopic(), async () => {
      throw new Error("not the leader");
    });
    await store.putLoggerLevel("a.b", "DEBUG", signal);
    assert.deepEqual(topic.records, [{ key: "logger-cluster-a.b", value: '{"level":"DEBUG"}' }]);
    view.deliver();
    assert.deepEqual(changes, [{ kind: "loggerLevelChanged", namespace: "a.b", level: "DEBUG" }]);
  });

  it("has read a restart request back when it resolves", async () => {
    const { store, topic, changes } = await openStore();
    await store.putRestart("c", { includeTasks: true, onlyFailed: false }, signal);
    assert.deepEqual(topic.records, [
      { key: "restart-connector-c", value: '{"include-tasks":true,"only-failed":false}' },
    ]);
    assert.deepEqual(changes, [{ kind: "restartRequested", connector: "c", includeTasks: true, onlyFailed: false }]);
  });

  it("tells changes after start-up only: an old restart request is not carried out again", async () => {
    const topic = createMemoryTopic();
    const restart = '{"include-tasks":true,"only-failed":false}';
    topic.write("connector-c", '{"properties":{}}');
    topic.write("restart-connector-c", restart);
    topic.write("logger-cluster-a", '{"level":"DEBUG"}');
    const { changes, store, view } = await openStore(topic);
    assert.deepEqual(changes, []);
    assert.ok(store.config().connectors.has("c"));
    topic.write("restart-connector-c", restart);
    view.deliver();
    assert.deepEqual(changes, [{ kind: "restartRequested", connector: "c", includeTasks: true, onlyFailed: false }]);
  });

  it("keeps two workers in step", async () => {
    const topic = createMemoryTopic();
    const one = await openStore(topic);
    const two = await openStore(topic);
    const key = { key: Buffer.from("k".repeat(32)), algorithm: "HmacSHA256", createdAtMs: 7 };
    await one.store.putConnector("c", { k: "v" }, "PAUSED", signal);
    await two.store.readToEnd(signal);
    await two.store.putTaskConfigs("c", [{ t: "0" }], signal);
    await one.store.putSessionKey(key, signal);
    await two.store.readToEnd(signal);
    assert.deepEqual(one.store.config(), two.store.config());
    assert.deepEqual(two.store.config().sessionKey, key);
    assert.deepEqual(two.changes, one.changes);
  });

  it("logs a corrupt record as an error and goes on", async () => {
    const topic = createMemoryTopic();
    topic.write("connector-c", "{");
    topic.write("connector-d", '{"properties":{}}');
    const { store, log } = await openStore(topic);
    assert.deepEqual([...store.config().connectors.keys()], ["d"]);
    assert.deepEqual(
      log.entries.map(({ level, message }) => [level, message]),
      [["error", "record of the config topic ignored"]],
    );
  });
});
