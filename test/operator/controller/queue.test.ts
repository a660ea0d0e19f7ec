import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createWorkQueue, type QueueOptions, type WorkQueue } from "#operator/controller/queue.ts";

const OPTIONS: QueueOptions = { backOff: { baseMs: 100, maxMs: 1_000 }, random: () => 0 };

const key = (name: string) => ({ namespace: "n", name });

function take(queue: WorkQueue, nowMs: number) {
  const work = queue.take(nowMs);
  assert.ok(work !== null, `nothing is due at ${nowMs}`);
  return work;
}

function takeAll(queue: WorkQueue, nowMs: number): string[] {
  const names: string[] = [];
  for (let work = queue.take(nowMs); work !== null; work = queue.take(nowMs)) names.push(work.key.name);
  return names;
}

describe("work queue", () => {
  it("gives keys out when they are due, earliest first, equal times in order", () => {
    const queue = createWorkQueue(OPTIONS);
    queue.add(key("late"), 30);
    queue.add(key("first"), 10);
    queue.add(key("second"), 10);
    assert.equal(queue.take(9), null);
    assert.equal(queue.nextDueAtMs(), 10);
    assert.deepEqual(takeAll(queue, 20), ["first", "second"]);
    assert.equal(queue.nextDueAtMs(), 30);
    assert.deepEqual(takeAll(queue, 30), ["late"]);
  });

  it("makes several requests one, at the earliest of their times", () => {
    const queue = createWorkQueue(OPTIONS);
    queue.add(key("a"), 50);
    queue.add(key("a"), 10);
    queue.add(key("a"), 90);
    assert.equal(take(queue, 10).dueAtMs, 10);
    assert.equal(queue.take(1_000), null);
  });

  it("holds a key back while it is in work, then gives it out again", () => {
    const queue = createWorkQueue(OPTIONS);
    queue.add(key("a"), 0);
    const work = take(queue, 0);
    queue.add(key("a"), 1);
    queue.add(key("a"), 2);
    assert.equal(queue.take(5), null);
    assert.equal(queue.nextDueAtMs(), null);
    queue.done(work, { kind: "settled" }, 5);
    assert.equal(take(queue, 5).dueAtMs, 1);
    assert.equal(queue.take(5), null);
  });

  it("comes back after the asked time, or earlier if somebody asks", () => {
    const queue = createWorkQueue(OPTIONS);
    queue.add(key("a"), 0);
    queue.done(take(queue, 0), { kind: "retry-after", delayMs: 500 }, 10);
    assert.equal(queue.nextDueAtMs(), 510);
    queue.add(key("a"), 20);
    queue.done(take(queue, 20), { kind: "settled" }, 21);
    assert.equal(queue.nextDueAtMs(), null);
    assert.equal(queue.take(10_000), null);
  });

  it("backs off longer with each failure of a key and forgets it with a success", () => {
    const queue = createWorkQueue(OPTIONS);
    let nowMs = 0;
    queue.add(key("a"), 0);
    queue.add(key("b"), 0);
    const other = queue.take(0);
    for (const delayMs of [100, 200, 400, 800, 1_000, 1_000]) {
      const work = take(queue, nowMs);
      assert.equal(queue.done(work, { kind: "failed" }, nowMs), delayMs);
      assert.equal(queue.nextDueAtMs(), nowMs + delayMs);
      nowMs += delayMs;
    }
    const work = take(queue, nowMs);
    assert.equal(work.failures, 6);
    queue.done(work, { kind: "settled" }, nowMs);
    queue.add(work.key, nowMs);
    assert.equal(take(queue, nowMs).failures, 0);
    assert.equal(other?.failures, 0);
  });

  it("lets a request cut a back-off short without forgetting the failures", () => {
    const queue = createWorkQueue(OPTIONS);
    queue.add(key("a"), 0);
    queue.done(take(queue, 0), { kind: "failed" }, 0);
    queue.add(key("a"), 5);
    assert.equal(take(queue, 5).failures, 1);
  });

  it("bounds what is in work per group, and lets groups take turns", () => {
    const queue = createWorkQueue({ ...OPTIONS, groupOf: ({ name }) => name[0] ?? null, groupLimit: 2 });
    for (const name of ["x1", "x2", "x3", "x4", "y1", "y2", "z1"]) queue.add(key(name), 0);
    const first = take(queue, 0);
    assert.deepEqual([first.key.name, ...takeAll(queue, 0)], ["x1", "y1", "z1", "x2", "y2"]);
    assert.equal(queue.depth(), 2);
    queue.done(first, { kind: "settled" }, 1);
    assert.deepEqual(takeAll(queue, 1), ["x3"]);
  });

  it("gives keys without a group one of their own", () => {
    const queue = createWorkQueue({ ...OPTIONS, groupOf: () => null, groupLimit: 1 });
    for (const name of ["a", "b", "c"]) queue.add(key(name), 0);
    assert.deepEqual(takeAll(queue, 0), ["a", "b", "c"]);
  });

  it("keeps all promises under random use", () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed / 2_147_483_648;
    };
    const queue = createWorkQueue({ ...OPTIONS, random, groupOf: ({ name }) => name[0] ?? null, groupLimit: 3 });
    const inWork = new Map<string, ReturnType<typeof take>>();
    const asked = new Set<string>();
    for (let nowMs = 0; nowMs < 5_000; nowMs += 1) {
      const name = `${"abc"[Math.floor(random() * 3)]}${Math.floor(random() * 6)}`;
      queue.add(key(name), nowMs);
      asked.add(name);
      const work = random() < 0.8 ? queue.take(nowMs) : null;
      if (work !== null) {
        assert.ok(!inWork.has(work.key.name));
        assert.ok(work.dueAtMs <= nowMs);
        inWork.set(work.key.name, work);
        asked.delete(work.key.name);
        const mates = [...inWork.keys()].filter((other) => other[0] === work.key.name[0]);
        assert.ok(mates.length <= 3);
      }
      for (const [other, done] of inWork) {
        if (random() > 0.3) continue;
        inWork.delete(other);
        queue.done(done, random() < 0.5 ? { kind: "failed" } : { kind: "settled" }, nowMs);
      }
    }
    for (const [, work] of inWork) queue.done(work, { kind: "settled" }, 5_000);
    for (let work = queue.take(100_000); work !== null; work = queue.take(100_000)) {
      asked.delete(work.key.name);
      queue.done(work, { kind: "settled" }, 100_000);
    }
    assert.deepEqual([...asked], []);
    assert.equal(queue.depth(), 0);
    assert.equal(queue.nextDueAtMs(), null);
  });
});
