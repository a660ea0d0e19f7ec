import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { OffsetMap } from "@headrace/sdk";
import { canonicalPartition } from "#runtime/store/offset-key.ts";
import {
  createSourceOffsets,
  type NewSourceOffset,
  type OwnOffsets,
  type StoredSourceOffset,
} from "#runtime/store/source-offsets.ts";
import { createSilentLog } from "#support/silent-log.ts";

const signal = AbortSignal.timeout(60_000);
const a = { file: "a" };
const b = { file: "b" };

/** A store in memory that notes its writes, by its name, in `order`. */
function memoryStore(name: string, order: string[], content: readonly [OffsetMap, OffsetMap][] = []) {
  const stored = new Map<string, StoredSourceOffset>(
    content.map(([partition, offset]) => [canonicalPartition(partition), { partition, offset }]),
  );
  const state = { broken: false };
  return {
    state,
    list: async () => [...stored.values()],
    write: async (_owner: unknown, offsets: readonly NewSourceOffset[]) => {
      if (state.broken) throw new Error(`${name} is broken`);
      for (const { partition, offset } of offsets) {
        order.push(`${name} ${offset === null ? "forgets" : "keeps"} ${partition["file"]}`);
        if (offset === null) stored.delete(canonicalPartition(partition));
        else stored.set(canonicalPartition(partition), { partition, offset });
      }
    },
  };
}

function setUp(where: ReturnType<OwnOffsets["storeOf"]>) {
  const order: string[] = [];
  const worker = memoryStore("worker", order, [
    [a, { n: 1 }],
    [b, { n: 2 }],
  ]);
  const own = memoryStore("own", order, [[b, { n: 3 }]]);
  const log = createSilentLog();
  const offsets = createSourceOffsets({ store: worker, own: { ...own, storeOf: () => where }, log });
  return { order, worker, own, log, offsets, owner: { connector: "c", config: {} } };
}

describe("offsets of source connectors", () => {
  it("come from the worker's topic for a connector without its own", async () => {
    const { offsets, owner, order } = setUp("worker");
    assert.deepEqual(await offsets.list(owner, signal), [
      { partition: a, offset: { n: 1 } },
      { partition: b, offset: { n: 2 } },
    ]);
    await offsets.write(owner, [{ partition: a, offset: null }], signal);
    assert.deepEqual(order, ["worker forgets a"]);
  });

  it("come from both with an own topic, which wins", async () => {
    const { offsets, owner } = setUp("own");
    assert.deepEqual(await offsets.list(owner, signal), [
      { partition: a, offset: { n: 1 } },
      { partition: b, offset: { n: 3 } },
    ]);
  });

  it("come from the own store alone where it knows everything", async () => {
    const { offsets, owner, order } = setUp("exclusive");
    assert.deepEqual(await offsets.list(owner, signal), [{ partition: b, offset: { n: 3 } }]);
    await offsets.write(owner, [{ partition: b, offset: null }], signal);
    assert.deepEqual(order, ["own forgets b"]);
  });

  it("are forgotten by the worker's topic first, and kept by the own topic first", async () => {
    const { offsets, owner, order } = setUp("own");
    await offsets.write(
      owner,
      [
        { partition: a, offset: { n: 9 } },
        { partition: b, offset: null },
      ],
      signal,
    );
    assert.deepEqual(order, ["worker forgets b", "own keeps a", "own forgets b", "worker keeps a"]);
  });

  it("stay in both if the worker's topic does not take a tombstone", async () => {
    const { offsets, owner, worker, order } = setUp("own");
    worker.state.broken = true;
    await assert.rejects(offsets.write(owner, [{ partition: b, offset: null }], signal), /worker is broken/);
    assert.deepEqual(order, []);
  });

  it("are stored although the worker's topic does not take a value, which is logged", async () => {
    const { offsets, owner, worker, order, log } = setUp("own");
    worker.state.broken = true;
    await offsets.write(owner, [{ partition: a, offset: { n: 9 } }], signal);
    assert.deepEqual(order, ["own keeps a"]);
    assert.deepEqual(
      log.entries.map(({ level }) => level),
      ["warn"],
    );
  });
});
