import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { s3Source } from "@headrace/s3";
import { RetriableError, type SourceRecord } from "@headrace/sdk";
import { createLogRecorder, createMemoryOffsets, createMetricRecorder } from "@headrace/sdk/testing";
import { positionOf, startIn } from "../../../connectors/s3/src/source/position.ts";
import { SourceReader } from "../../../connectors/s3/src/source/source-reader.ts";
import { S3Error } from "../../../connectors/s3/src/store/failure.ts";
import type { ObjectStore } from "../../../connectors/s3/src/store/object-store.ts";

/** A bucket in memory; `content` says what a request for an object gives. */
function memoryBucket(keys: readonly string[], content: (key: string) => AsyncIterable<Uint8Array>) {
  const left = new Set(keys);
  const calls = { lists: 0 };
  const unexpected = () => Promise.reject(new Error("a source asks for nothing like that"));
  const store: ObjectStore = {
    put: unexpected,
    createUpload: unexpected,
    uploadPart: unexpected,
    completeUpload: unexpected,
    abortUpload: unexpected,
    listUploads: unexpected,
    async *list() {
      calls.lists += 1;
      yield [...left].map((key) => ({ key, etag: "e", size: 1, modifiedAt: 1 }));
    },
    head: async (key) => (left.has(key) ? { etag: "e", size: 1 } : null),
    get: async ({ key }) => ({ etag: "e", encoding: "", chunks: content(key) }),
    async remove(key) {
      left.delete(key);
    },
    copy: unexpected,
    check: unexpected,
  };
  return { store, left, calls };
}

async function* chunks(text: string, failure: Error | null = null) {
  yield Buffer.from(text);
  if (failure !== null) throw failure;
}

function openReader(store: ObjectStore, config: Record<string, string>): SourceReader {
  const settings = s3Source.config.parse({ "s3.bucket.name": "b", "s3.prefix": "", topic: "t", ...config });
  const offsets = createMemoryOffsets();
  return new SourceReader(
    settings,
    {
      connector: "c",
      task: 0,
      log: createLogRecorder(),
      metrics: createMetricRecorder(),
      offset: async (partition) => offsets.read(partition),
      transactions: null,
    },
    store,
  );
}

const signal = () => AbortSignal.timeout(60_000);
const valuesOf = (records: readonly SourceRecord[]) => records.map(({ value }) => value.value);
const acknowledge = (reader: SourceReader, records: readonly SourceRecord[]) =>
  reader.committed(records.map((record, n) => ({ record, metadata: { topic: "t", partition: 0, offset: BigInt(n) } })));

describe("an object that is deleted when it was read", () => {
  const DELETE = { "after.reading": "delete", "s3.poll.interval.ms": "1" };

  it("stays until Kafka has all of its records, when the connection broke behind the last of them (invariant 1)", async () => {
    let opened = 0;
    const { store, left } = memoryBucket(["a/1.txt"], () => {
      opened += 1;
      return chunks("1\n2\n", opened === 1 ? new RetriableError("broken") : null);
    });
    const reader = openReader(store, DELETE);
    const records = await reader.poll(signal());
    assert.deepEqual(valuesOf(records), ["1", "2"]);
    await assert.rejects(reader.poll(signal()), RetriableError);
    for (let polls = 0; polls < 3; polls += 1) assert.deepEqual(await reader.poll(signal()), []);
    assert.equal(opened, 2);
    acknowledge(reader, records.slice(0, 1));
    await reader.poll(signal());
    assert.deepEqual([...left], ["a/1.txt"]);
    acknowledge(reader, records.slice(1));
    await reader.poll(signal());
    assert.deepEqual([...left], []);
    await reader.close();
  });

  it("stays until Kafka has what could be read, when the rest is left out (invariant 1)", async () => {
    const { store, left } = memoryBucket(["a/1.json"], () => chunks("1\noh\n"));
    const reader = openReader(store, { ...DELETE, "behavior.on.error": "log" });
    const records = await reader.poll(signal());
    assert.deepEqual(valuesOf(records), [1]);
    for (let polls = 0; polls < 3; polls += 1) assert.deepEqual(await reader.poll(signal()), []);
    assert.deepEqual([...left], ["a/1.json"]);
    acknowledge(reader, records);
    await reader.poll(signal());
    assert.deepEqual([...left], []);
    await reader.close();
  });
});

describe("an object that is not what the listing said", () => {
  it("waits for the next listing, with those behind it; others are read", async () => {
    const { store, calls } = memoryBucket(["a/1.txt", "a/2.txt", "b/1.txt"], (key) => chunks(`${key}\n`));
    const { get } = store;
    const reader = openReader(
      {
        ...store,
        get: async (object, each) => {
          if (object.key === "a/1.txt") throw new S3Error("replaced", { status: 412, code: "PreconditionFailed" });
          return await get(object, each);
        },
      },
      { "s3.poll.interval.ms": "600000" },
    );
    assert.deepEqual(await reader.poll(signal()), []);
    assert.deepEqual(valuesOf(await reader.poll(signal())), ["b/1.txt"]);
    assert.equal(calls.lists, 1);
    await reader.close();
  });
});

describe("an offset given by hand", () => {
  const object = { key: "a/1.txt", etag: "e", size: 1, modifiedAt: 7 };
  it("counts without an ETag and a time", () => {
    const position = positionOf({ key: "a/1.txt", position: 5 });
    assert.deepEqual(startIn(position, object, false), { kind: "from", index: 5 });
    assert.deepEqual(startIn(position, object, true), { kind: "from", index: 5 });
    const other = positionOf({ key: "a/1.txt", etag: "f", position: 5 });
    assert.deepEqual(startIn(other, object, false), { kind: "from", index: 0 });
  });
});
