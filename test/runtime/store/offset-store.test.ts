import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createOffsetStore } from "#runtime/store/offset-store.ts";
import { createSilentLog } from "#support/silent-log.ts";
import { goldenTopic } from "./golden.ts";
import { createMemoryTopic } from "./memory-topic.ts";

const signal = AbortSignal.timeout(60_000);

async function openStore(topic = createMemoryTopic()) {
  const log = createSilentLog();
  const store = createOffsetStore(topic.open(), { log });
  await store.start(signal);
  return { topic, store, log };
}

describe("offset store", () => {
  it("finds what was written, in the order of the question, and null for the rest", async () => {
    const { store } = await openStore();
    await store.write("c", [{ partition: { file: "a" }, offset: { position: 1 } }], signal);
    await store.write("c", [{ partition: { file: "b" }, offset: { position: 2 } }], signal);
    const found = await store.read("c", [{ file: "b" }, { file: "?" }, { file: "a" }], signal);
    assert.deepEqual(found, [{ position: 2 }, null, { position: 1 }]);
    assert.deepEqual(await store.read("d", [{ file: "a" }], signal), [null]);
  });

  it("reads to the end before it answers", async () => {
    const { store, topic } = await openStore();
    topic.write('["c",{"file":"a"}]', '{"position":7}');
    assert.deepEqual(await store.read("c", [{ file: "a" }], signal), [{ position: 7 }]);
    topic.write('["c",{"file":"b"}]', '{"position":8}');
    assert.equal((await store.list("c", signal)).length, 2);
  });

  it("takes partitions for equal whatever the order of their entries", async () => {
    const { store } = await openStore();
    await store.write("c", [{ partition: { a: 1, b: "x" }, offset: { n: 1 } }], signal);
    assert.deepEqual(await store.read("c", [{ b: "x", a: 1n }], signal), [{ n: 1 }]);
  });

  it("updates and deletes under the very bytes that are in the topic", async () => {
    const { store, topic } = await openStore();
    const key = '["c", {"topic":"t", "cluster":"x", "partition":0}]'; // Neither our order nor compact.
    topic.write(key, '{"offset":1}');
    const partition = { cluster: "x", partition: 0, topic: "t" };
    await store.read("c", [partition], signal);
    await store.write("c", [{ partition, offset: { offset: 2 } }], signal);
    await store.write("c", [{ partition, offset: null }], signal);
    assert.deepEqual(
      topic.records.map((record) => record.key),
      [key, key, key],
    );
    assert.deepEqual(topic.records.at(-1)?.value, null);
    assert.deepEqual(await store.list("c", signal), []);
  });

  it("lets the latest count if a partition was stored under several keys, and deletes all of them", async () => {
    const { store, topic } = await openStore();
    topic.write('["c",{"a":1,"b":2}]', '{"n":1}');
    topic.write('["c",{"b":2,"a":1}]', '{"n":2}');
    const partition = { a: 1, b: 2 };
    assert.deepEqual(await store.read("c", [partition], signal), [{ n: 2 }]);
    assert.equal((await store.list("c", signal)).length, 1);
    topic.write('["c",{"a":1,"b":2}]', '{"n":3}');
    assert.deepEqual(await store.read("c", [partition], signal), [{ n: 3 }]);
    await store.write("c", [{ partition, offset: null }], signal);
    assert.deepEqual(await store.read("c", [partition], signal), [null]);
    assert.equal(topic.records.filter(({ value }) => value === null).length, 2);
  });

  it("keeps 64-bit integers", async () => {
    const { store, topic } = await openStore();
    await store.write("c", [{ partition: { id: 2n ** 62n }, offset: { lsn: 9007199254740993n, n: 5n } }], signal);
    assert.deepEqual(topic.records, [
      { key: '["c",{"id":4611686018427387904}]', value: '{"lsn":9007199254740993,"n":5}' },
    ]);
    assert.deepEqual(await store.read("c", [{ id: 2n ** 62n }], signal), [{ lsn: 9007199254740993n, n: 5 }]);
  });

  it("reads what a JVM worker stored, and goes on under its bytes", async () => {
    const topic = createMemoryTopic();
    for (const { key, value } of goldenTopic("offsets")) topic.write(key, value);
    const { store } = await openStore(topic);
    const partition = { filename: "/data/in.txt" };
    assert.deepEqual(await store.read("file-src", [partition], signal), [{ position: 14 }]);
    await store.write("file-src", [{ partition, offset: { position: 15 } }], signal);
    assert.equal(topic.records.at(-1)?.key, topic.records[0]?.key);
    assert.equal(topic.records.at(-1)?.value, '{"position":15}');
  });

  for (const [key, value] of [
    ["{}", "{}"],
    ["nonsense", "{}"],
    ['["c"]', "{}"],
    ['["c",{"a":[1]}]', "{}"],
    ['["c",{"a":1}]', "nonsense"],
    ['["c",{"a":1}]', "[1]"],
    ['["c",{"a":1}]', '{"x":{}}'],
  ] as const) {
    it(`warns about ${key} ${value} and ignores it`, async () => {
      const topic = createMemoryTopic();
      topic.write('["c",{"a":1}]', '{"n":1}');
      topic.write(key, value);
      const { store, log } = await openStore(topic);
      assert.deepEqual(await store.list("c", signal), [{ partition: { a: 1 }, offset: { n: 1 } }]);
      assert.deepEqual(
        log.entries.map(({ level }) => level),
        ["warn"],
      );
    });
  }
});
