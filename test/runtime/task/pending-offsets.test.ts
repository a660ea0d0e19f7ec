import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NULL_VALUE, type OffsetMap, type SourceRecord } from "@headrace/sdk";
import { canonicalKey, PendingOffsets } from "#runtime/task/pending-offsets.ts";

const record = (partition: OffsetMap, n: number): SourceRecord => ({
  topic: "t",
  value: NULL_VALUE,
  sourcePartition: partition,
  sourceOffset: { n },
});
const A = { p: "a" };
const B = { p: "b" };

/** Offsets taken, as `a=1 b=2`. */
const take = (pending: PendingOffsets) =>
  pending
    .take()
    .map(({ partition, offset }) => `${partition["p"]}=${offset["n"]}`)
    .join(" ");

describe("PendingOffsets", () => {
  it("gives the last offset of each partition in the contiguous settled head, once", () => {
    const pending = new PendingOffsets();
    pending.add(1, [record(A, 1), record(B, 1), record(A, 2)]);
    pending.add(2, [record(A, 3)]);
    pending.add(3, [record(B, 2)]);
    assert.equal(take(pending), "");
    pending.settle(2);
    pending.settle(3);
    assert.equal(take(pending), "");
    pending.settle(1);
    assert.equal(take(pending), "a=3 b=2");
    assert.equal(take(pending), "");
    assert.equal(pending.outstanding(), 0);
  });

  it("lets a batch that never settles hold back its own partitions only", () => {
    const pending = new PendingOffsets();
    pending.add(1, [record(A, 1)]);
    pending.add(2, [record(A, 2), record(B, 2)]);
    pending.settle(2);
    assert.equal(take(pending), "b=2");
    assert.equal(pending.outstanding(), 1);
  });

  it("prefers newer offsets to those given back", () => {
    const pending = new PendingOffsets();
    pending.add(1, [record(A, 1)]);
    pending.settle(1);
    const taken = pending.take();
    pending.giveBack(taken);
    pending.add(2, [record(B, 1)]);
    pending.settle(2);
    assert.equal(take(pending), "a=1 b=1");
    pending.giveBack(taken);
    pending.add(3, [record(A, 2)]);
    pending.settle(3);
    assert.equal(take(pending), "a=2");
  });

  it("takes equal maps for one partition, whatever the order of their entries and the size of their integers", () => {
    const pending = new PendingOffsets();
    pending.add(1, [record({ p: "a", x: 1 }, 1), record({ x: 1n, p: "a" }, 2)]);
    pending.settle(1);
    assert.equal(take(pending), "a=2");
  });

  it("settles each batch once", () => {
    const pending = new PendingOffsets();
    pending.add(1, []);
    pending.settle(1);
    assert.throws(() => pending.settle(1), /not pending/);
  });
});

describe("canonicalKey", () => {
  it("tells numbers from text, and null from nothing", () => {
    const keys = [{ a: 1 }, { a: "1" }, { a: null }, {}, { a: true }, { b: 1 }].map((map) => canonicalKey(map));
    assert.equal(new Set(keys).size, keys.length);
  });
});
