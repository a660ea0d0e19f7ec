import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Controller, type ControllerOptions, createController } from "#operator/controller/controller.ts";
import { type Outcome, retryAfter, settled } from "#operator/controller/outcome.ts";
import { withoutSlot, withoutSlotAfter } from "#operator/controller/slot.ts";
import type { ObjectKey } from "#operator/kube/client.ts";
import { createLog } from "#operator/log.ts";
import { eventually } from "#support/eventually.ts";

const key = (name: string): ObjectKey => ({ namespace: "n", name });

interface Running {
  readonly controller: Controller;
  stop(): Promise<void>;
}

function start(options: Pick<ControllerOptions, "reconcile"> & Partial<ControllerOptions>): Running {
  const controller = createController({
    name: "test",
    log: createLog("silent"),
    concurrency: 4,
    backOff: { baseMs: 5, maxMs: 20 },
    ...options,
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  return {
    controller,
    async stop() {
      stop.abort();
      await running;
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** A reconcile that waits until it is let go, and notes who is in it. */
function gate() {
  const inside = new Set<string>();
  const seen: string[] = [];
  let open = Promise.withResolvers<void>();
  return {
    inside,
    seen,
    letGo() {
      open.resolve();
      open = Promise.withResolvers();
    },
    async reconcile({ name }: ObjectKey, signal: AbortSignal): Promise<Outcome> {
      assert.ok(!inside.has(name), `${name} is in work twice`);
      inside.add(name);
      seen.push(name);
      await Promise.race([open.promise, aborted(signal)]);
      inside.delete(name);
      return settled;
    },
  };
}

describe("controller", () => {
  it("makes requests during a reconcile one more reconcile after it", async () => {
    const work = gate();
    const { controller, stop } = start({ reconcile: work.reconcile });
    controller.enqueue(key("a"));
    await eventually("a is in work", () => work.inside.has("a"));
    for (let i = 0; i < 5; i += 1) controller.enqueue(key("a"));
    work.letGo();
    await eventually("a is in work again", () => work.seen.length === 2);
    work.letGo();
    await eventually("a is done", () => work.inside.size === 0);
    assert.deepEqual(work.seen, ["a", "a"]);
    await stop();
  });

  it("runs as many as it may, and no group more than its share", async () => {
    const work = gate();
    const { controller, stop } = start({
      reconcile: work.reconcile,
      concurrency: 3,
      groupOf: ({ name }) => name[0] ?? null,
      groupConcurrency: 2,
    });
    for (const name of ["a1", "a2", "a3", "b1", "b2"]) controller.enqueue(key(name));
    await eventually("three are in work", () => work.inside.size === 3);
    assert.deepEqual([...work.inside], ["a1", "b1", "a2"]);
    work.letGo();
    await eventually("the others follow", () => work.seen.length === 5);
    await stop();
  });

  it("leaves the place of a reconcile that waits for a worker to another, and counts it again afterwards", async () => {
    const waiting = gate();
    const working = gate();
    const { controller, stop } = start({
      concurrency: 2,
      async reconcile(work, signal) {
        if (work.name.startsWith("w")) await withoutSlot(() => waiting.reconcile(work, signal));
        return await working.reconcile(work, signal);
      },
    });
    for (const name of ["w1", "w2", "w3"]) controller.enqueue(key(name));
    await eventually("all wait for their workers", () => waiting.inside.size === 3);
    for (const name of ["a", "b", "c"]) controller.enqueue(key(name));
    await eventually("as many work as may", () => working.inside.size === 2);
    waiting.letGo();
    await eventually("the first go on", () => working.inside.size === 5);
    assert.deepEqual([...working.inside].sort(), ["a", "b", "w1", "w2", "w3"]);
    working.letGo();
    await eventually("the last has its turn", () => working.seen.includes("c"));
    working.letGo();
    await eventually("all are done", () => working.inside.size === 0);
    await stop();
  });

  it("keeps the place of a reconcile that waits a little, and leaves it once that takes long", async () => {
    const [brief, long] = [gate(), gate()];
    const seen: string[] = [];
    const { controller, stop } = start({
      concurrency: 1,
      async reconcile(work, signal) {
        seen.push(work.name);
        if (work.name === "brief") return await withoutSlotAfter(60_000, () => brief.reconcile(work, signal));
        if (work.name === "long") return await withoutSlotAfter(1, () => long.reconcile(work, signal));
        return settled;
      },
    });
    for (const name of ["brief", "long", "next"]) controller.enqueue(key(name));
    await eventually("the first waits", () => brief.inside.size === 1);
    assert.deepEqual(seen, ["brief"]);
    brief.letGo();
    await eventually("nobody waits for the long one", () => seen.includes("next"));
    assert.equal(long.inside.size, 1);
    long.letGo();
    await stop();
  });

  it("leaves the place of a reconcile whose many short waits take long together", async () => {
    const seen: string[] = [];
    const { controller, stop } = start({
      concurrency: 1,
      async reconcile({ name }) {
        seen.push(name);
        // Each is far within its patience, and two at a time are not counted twice.
        while (name === "slow" && !seen.includes("next"))
          await Promise.all([1, 2].map(() => withoutSlotAfter(300, () => new Promise(setImmediate))));
        return settled;
      },
    });
    for (const name of ["slow", "next"]) controller.enqueue(key(name));
    await eventually("the next has its turn", () => seen.includes("next"));
    await stop();
  });

  it("leaves a place once, however many waits a reconcile has at a time", async () => {
    const waits = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const seen: string[] = [];
    const { controller, stop } = start({
      concurrency: 1,
      async reconcile({ name }) {
        seen.push(name);
        if (name === "a") await Promise.all(waits.map(({ promise }) => withoutSlot(() => promise)));
        return settled;
      },
    });
    for (const name of ["a", "b"]) controller.enqueue(key(name));
    await eventually("b is looked at while a waits", () => seen.includes("b"));
    waits[0]?.resolve();
    controller.enqueue(key("c"));
    await eventually("c is looked at while a waits for the rest", () => seen.includes("c"));
    waits[1]?.resolve();
    await stop();
    assert.deepEqual(seen, ["a", "b", "c"]);
  });

  it("repeats after the asked time, and after failures until it succeeds", async () => {
    const outcomes: (Outcome | Error)[] = [retryAfter(5), new Error("no"), new Error("still no"), settled];
    const reconciled: number[] = [];
    const { controller, stop } = start({
      reconcile: async () => {
        const outcome = outcomes[reconciled.length] ?? settled;
        reconciled.push(reconciled.length);
        if (outcome instanceof Error) throw outcome;
        return outcome;
      },
    });
    controller.enqueue(key("a"));
    await eventually("it settled", () => reconciled.length === 4);
    await stop();
    assert.equal(reconciled.length, 4);
  });

  it("ends a reconcile at its deadline and tries again", async () => {
    const reasons: unknown[] = [];
    const { controller, stop } = start({
      timeoutMs: 20,
      reconcile: async (_key, signal) => {
        if (reasons.length > 0) return settled;
        await aborted(signal);
        reasons.push(signal.reason);
        throw new Error("gave up");
      },
    });
    controller.enqueue(key("a"));
    await eventually("the deadline passed", () => reasons.length === 1);
    assert.ok(reasons[0] instanceof DOMException && reasons[0].name === "TimeoutError");
    await stop();
  });

  it("looks at everything at the start and again every while", async () => {
    const seen: string[] = [];
    const { stop } = start({
      resync: { everyMs: 20, keys: () => [key("a"), key("b")] },
      reconcile: async ({ name }) => {
        seen.push(name);
        return settled;
      },
    });
    await eventually("both were seen three times", () => seen.filter((name) => name === "b").length >= 3);
    assert.deepEqual(seen.slice(0, 2), ["a", "b"]);
    await stop();
  });

  it("waits for what is in work when it stops, and starts nothing more", async () => {
    const work = gate();
    const { controller, stop } = start({ reconcile: work.reconcile, concurrency: 1 });
    controller.enqueue(key("a"));
    controller.enqueue(key("b"));
    await eventually("a is in work", () => work.inside.has("a"));
    await stop();
    assert.equal(work.inside.size, 0);
    assert.deepEqual(work.seen, ["a"]);
  });

  it("burns no time while all workers are busy", async () => {
    const work = gate();
    let asked = 0;
    const { controller, stop } = start({
      reconcile: work.reconcile,
      concurrency: 1,
      now: () => {
        asked += 1;
        return performance.now();
      },
    });
    controller.enqueue(key("a"));
    controller.enqueue(key("b"));
    await eventually("a is in work", () => work.inside.has("a"));
    const before = asked;
    const startedAt = performance.now();
    await eventually("a while passed", () => performance.now() - startedAt > 200);
    assert.ok(asked - before < 5, `it looked at the clock ${asked - before} times`);
    await stop();
  });

  it("tells its metrics", async () => {
    const told: string[] = [];
    const { controller, stop } = start({
      metrics: {
        limit: (reconciles) => told.push(`at most ${reconciles}`),
        added: () => told.push("added"),
        resynced: () => undefined,
        started: (_queuedMs, { name }) => told.push(`started ${name}`),
        ended: (result) => told.push(result),
        depth: () => undefined,
      },
      reconcile: async () => {
        if (!told.includes("failed")) throw new Error("no");
        return settled;
      },
    });
    controller.enqueue(key("a"));
    await eventually("it settled", () => told.includes("settled"));
    assert.deepEqual(told, ["at most 4", "added", "started a", "failed", "started a", "settled"]);
    await stop();
  });
});
