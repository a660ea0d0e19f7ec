import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StringMap } from "@headrace/contract";
import type { OffsetMap } from "@headrace/sdk";
import type { OffsetsTopics } from "#runtime/executor/offsets-topics.ts";
import { createTaskOffsets } from "#runtime/executor/task-offsets.ts";
import { offsetsPlace } from "#runtime/offsets-place.ts";
import { createOffsetStore } from "#runtime/store/offset-store.ts";
import { eventually } from "#support/eventually.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { createMemoryTopic } from "../store/memory-topic.ts";

const signal = AbortSignal.timeout(10_000);
const WORKER = { "bootstrap.servers": "a:1,b:2", "offset.storage.topic": "offsets" };
const ENABLED = { ...WORKER, "exactly.once.source.support": "enabled" };
const P = { p: "x" };

describe("offsetsPlace", () => {
  const rows: readonly [string, StringMap, StringMap, object][] = [
    ["the worker's topic by default", WORKER, {}, { kind: "worker", topic: "offsets" }],
    ["a topic of its own", WORKER, { "offsets.storage.topic": "mine" }, { kind: "own", topic: "mine" }],
    [
      "the worker's topic by its name",
      WORKER,
      { "offsets.storage.topic": "offsets" },
      { kind: "worker", topic: "offsets" },
    ],
    [
      "a topic of the same name in another cluster",
      WORKER,
      { "offsets.storage.topic": "offsets", "producer.override.bootstrap.servers": "c:3" },
      { kind: "own", topic: "offsets" },
    ],
    [
      "the worker's topic although records go to another cluster",
      WORKER,
      { "producer.override.bootstrap.servers": "c:3" },
      { kind: "worker", topic: "offsets" },
    ],
    ["the worker's topic, exactly once", ENABLED, {}, { kind: "worker", topic: "offsets" }],
    [
      "the cluster of the records, exactly once",
      ENABLED,
      { "producer.override.bootstrap.servers": "c:3" },
      { kind: "own", topic: "offsets" },
    ],
    [
      "the worker's cluster, written otherwise",
      ENABLED,
      { "producer.override.bootstrap.servers": "a:1, b:2" },
      { kind: "worker", topic: "offsets" },
    ],
  ];
  for (const [fact, worker, connector, place] of rows) {
    it(`is ${fact}`, () => assert.deepEqual(offsetsPlace(worker, connector), place));
  }
});

/** A task whose connector has an offsets topic of its own, or (null) none. */
async function setUp(topic: string | null) {
  const log = createSilentLog();
  const [workerTopic, ownTopic] = [createMemoryTopic(), createMemoryTopic()];
  const workerStore = createOffsetStore(workerTopic.open(), { log });
  await workerStore.start(signal);
  const calls: string[] = [];
  let workerFails = false;
  const topics: OffsetsTopics = {
    async open(_, name) {
      calls.push(`open ${name}`);
      const store = createOffsetStore(ownTopic.open(), { log });
      await store.start(signal);
      return {
        read: (partitions, within) => store.read("c", partitions, within),
        list: (within) => store.list("c", within),
        encode: (offsets) => store.encode("c", offsets),
        write: (offsets, within) => store.write("c", offsets, within),
        stop: async () => void calls.push("stop"),
      };
    },
    writeInTransaction: () => assert.fail("tasks have producers of their own"),
  };
  const offsets = createTaskOffsets(
    {
      readOffsets: (connector, partitions, within) => workerStore.read(connector, partitions, within),
      async writeOffsets(connector, written, within) {
        if (workerFails) throw new Error("the worker's topic is away");
        await workerStore.write(connector, written, within);
      },
      async offsetKeys(connector, partitions) {
        calls.push("keys");
        return partitions.flatMap((partition) =>
          workerStore.encode(connector, [{ partition, offset: {} }]).map(({ key }) => key),
        );
      },
    },
    topics,
    {
      worker: WORKER,
      connectorConfig: topic === null ? {} : { "offsets.storage.topic": topic },
      connector: "c",
      task: 0,
    },
    log,
  );
  return {
    offsets,
    workerTopic,
    ownTopic,
    calls,
    log,
    failWorker: () => {
      workerFails = true;
    },
  };
}

const stored = (topic: { readonly records: readonly { readonly value: string | null }[] }) =>
  topic.records.map(({ value }) => value);

describe("offsets of a task", () => {
  it("are the worker's; each key is asked for once, and is the one that the topic has already", async () => {
    const { offsets, workerTopic, calls } = await setUp(null);
    workerTopic.write('["c",{"z":1,"a":2}]', '{"o":1}'); // No HashMap's order: some other worker's.
    const partition: OffsetMap = { a: 2, z: 1 };
    assert.deepEqual(await offsets.read(partition, signal), { o: 1 });
    for (const o of [2n ** 60n, 3]) {
      const [record] = await offsets.encode([{ partition, offset: { o } }], signal);
      assert.equal(record?.key.toString(), '["c",{"z":1,"a":2}]');
      assert.equal(record?.value?.toString(), `{"o":${o}}`);
    }
    assert.deepEqual(calls, ["keys"]);
  });

  it("are the worker's until its own topic says otherwise", async () => {
    const { offsets, workerTopic, ownTopic } = await setUp("mine");
    workerTopic.write('["c",{"p":"x"}]', '{"o":1}');
    assert.deepEqual(await offsets.read(P, signal), { o: 1 });
    ownTopic.write('["c",{"p":"x"}]', '{"o":2}');
    assert.deepEqual(await offsets.read(P, signal), { o: 2 });
  });

  it("are written to its own topic, and to the worker's as well as that goes", async () => {
    const { offsets, workerTopic, ownTopic, log, failWorker, calls } = await setUp("mine");
    await offsets.write([{ partition: P, offset: { o: 1 } }], signal);
    assert.deepEqual(stored(ownTopic), ['{"o":1}']);
    await eventually("the copy", () => workerTopic.records.length === 1);
    failWorker();
    await offsets.write([{ partition: P, offset: { o: 2 } }], signal);
    await eventually("the warning", () => log.entries.some(({ level }) => level === "warn"));
    assert.deepEqual([stored(ownTopic), stored(workerTopic)], [['{"o":1}', '{"o":2}'], ['{"o":1}']]);
    await offsets.stop();
    assert.deepEqual(calls, ["open mine", "stop"]);
  });

  it("are copied to the worker's topic after their transaction", async () => {
    const { offsets, workerTopic } = await setUp("mine");
    const [record] = await offsets.encode([{ partition: P, offset: { o: 5 } }], signal);
    assert.equal(record?.key.toString(), '["c",{"p":"x"}]');
    assert.equal(workerTopic.records.length, 0);
    offsets.committed([{ partition: P, offset: { o: 5 } }]);
    await eventually("the copy", () => workerTopic.records.length === 1);
  });
});
