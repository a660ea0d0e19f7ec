import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RetriableError } from "@headrace/sdk";
import { sinkRecord } from "@headrace/sdk/testing";
import { createCompressor } from "../../../connectors/s3/src/format/compression.ts";
import { textLayout } from "../../../connectors/s3/src/format/text-writer.ts";
import { OpenObject } from "../../../connectors/s3/src/sink/open-object.ts";
import { PartitionWriter } from "../../../connectors/s3/src/sink/partition-writer.ts";
import { ObjectUpload } from "../../../connectors/s3/src/sink/upload.ts";
import type { ObjectStore } from "../../../connectors/s3/src/store/object-store.ts";

/** A store that keeps objects in memory, and refuses those that `refuses` names. */
function memoryStore(refuses: (key: string) => boolean) {
  const objects = new Map<string, string>();
  const unexpected = () => Promise.reject(new Error("small objects need one request"));
  const store: ObjectStore = {
    async put(key, bytes) {
      if (refuses(key)) throw new RetriableError(`${key} is refused`);
      objects.set(key, Buffer.from(bytes).toString());
    },
    createUpload: unexpected,
    uploadPart: unexpected,
    completeUpload: unexpected,
    abortUpload: unexpected,
    listUploads: unexpected,
    async *list() {},
    head: unexpected,
    get: unexpected,
    remove: unexpected,
    copy: unexpected,
    check: unexpected,
  };
  return { store, objects };
}

describe("the objects of a topic partition", () => {
  const signal = AbortSignal.timeout(600_000);
  const layout = textLayout("");
  const placed = (n: number, directory: string) => ({
    record: sinkRecord({ offset: BigInt(n), value: { schema: null, value: n } }),
    row: { layout, size: 1, content: `${n} ` },
    directory,
    timestamp: null,
  });

  const open = (store: ObjectStore, maxRecords: number) =>
    new PartitionWriter({
      limits: { maxRecords, maxBytes: null, maxObjects: 10, recordTimeMs: null, schedule: null },
      open: ({ record, directory }) =>
        new OpenObject({
          layout,
          compressor: createCompressor("none", -1),
          upload: new ObjectUpload({
            store,
            key: `${directory}/${record.offset}`,
            headers: {},
            partSize: 1e9,
            closing: signal,
          }),
        }),
      now: () => 0,
      completed: () => {},
    });

  it("let no offset pass before all of them are complete, and are tried again", async () => {
    let refused = true;
    const { store, objects } = memoryStore((key) => refused && key.startsWith("b/"));
    const writer = open(store, 4);
    for (const [n, directory] of [
      [7, "a"],
      [8, "b"],
      [9, "a"],
    ] as const)
      await writer.add(placed(n, directory), signal);
    assert.equal(writer.pending(), 7n);
    assert.deepEqual([...objects], []);
    await assert.rejects(writer.add(placed(10, "b"), signal), RetriableError);
    assert.equal(writer.pending(), 7n, "one of two objects is complete");
    assert.deepEqual([...objects], [["a/7", "7 9 "]]);
    assert.equal(writer.hasTaken(10n), true);
    await assert.rejects(writer.add(placed(11, "a"), signal), RetriableError);
    assert.equal(writer.hasTaken(11n), false);
    refused = false;
    await writer.add(placed(11, "a"), signal);
    assert.equal(writer.pending(), 11n);
    assert.deepEqual(
      [...objects],
      [
        ["a/7", "7 9 "],
        ["b/8", "8 10 "],
      ],
    );
  });

  it("are completed when lower offsets come, also if the first of them goes into no object (invariant 2)", async () => {
    const { store, objects } = memoryStore(() => false);
    const writer = open(store, 4);
    await writer.add(placed(7, "a"), signal);
    writer.passOver(0n);
    await writer.add(placed(1, "a"), signal);
    assert.equal(writer.pending(), 1n);
    assert.deepEqual([...objects], [["a/7", "7 "]]);
  });
});
