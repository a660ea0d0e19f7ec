import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import {
  type CommittedRecord,
  DataError,
  NotReady,
  type OffsetMap,
  RetriableError,
  type SourceRecord,
  type SourceTask,
  STRING_SCHEMA,
} from "@headrace/sdk";
import { byteArrayConverter } from "#runtime/converters/byte-array.ts";
import { stringConverter } from "#runtime/converters/string.ts";
import { canonicalKey, type PartitionOffset } from "#runtime/task/pending-offsets.ts";
import { createPluginMetrics } from "#runtime/task/plugin-metrics.ts";
import { compileSourcePipeline, type TransformStep } from "#runtime/task/record-pipeline.ts";
import type { TaskOffsets } from "#runtime/task/source-options.ts";
import { createSourceTask } from "#runtime/task/source-task.ts";
import type { TolerancePolicy } from "#runtime/task/tolerance.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeProducer } from "#support/fake-record-producer.ts";
import { createLogRecorder, endTasks, runTask } from "#support/task-run.ts";

const STRICT: TolerancePolicy = {
  tolerance: "none",
  retryTimeoutMs: 0,
  retryDelayMaxMs: 60_000,
  logEnable: false,
  logIncludeMessages: false,
};
const LENIENT: TolerancePolicy = { ...STRICT, tolerance: "all" };

function record(position: number, partition: OffsetMap = { file: "a" }): SourceRecord {
  const value = { schema: STRING_SCHEMA, value: `line ${position}` };
  return { topic: "t", value, sourcePartition: partition, sourceOffset: { position } };
}

interface Setup {
  readonly policy?: TolerancePolicy;
  readonly transforms?: readonly TransformStep[];
  readonly flushIntervalMs?: number;
  readonly task?: Partial<SourceTask>;
  readonly writeOffsets?: TaskOffsets["write"];
}

/** A source whose polls give the batches that the test pushes. */
function setUp(setup: Setup = {}) {
  const producer = createFakeProducer();
  const stored = new Map<string, OffsetMap>();
  const batches: (readonly SourceRecord[] | Error)[] = [];
  const log = createLogRecorder();
  const topics: string[] = [];
  const calls: string[] = [];
  let arrived = () => {};
  const task: SourceTask = {
    async poll(signal) {
      if (batches.length === 0) {
        await new Promise<void>((resolve) => {
          arrived = resolve;
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      }
      const next = batches.shift() ?? [];
      if (next instanceof Error) throw next;
      return next;
    },
    close: () => void calls.push("close"),
    ...setup.task,
  };
  const text = stringConverter.compile({ "converter.encoding": "UTF-8" }, false);
  const body = createSourceTask({
    label: "c-0",
    context: { connector: "c", task: 0, log, metrics: createPluginMetrics().metrics },
    openTask: async () => task,
    pipeline: compileSourcePipeline({
      transforms: setup.transforms ?? [],
      key: { plugin: "bytes", converter: byteArrayConverter.compile({}, true) },
      value: { plugin: "string", converter: text },
      header: {
        plugin: "bytes",
        converter: { encodeHeader: () => null, decodeHeader: () => ({ schema: null, value: null }) },
      },
    }),
    policy: setup.policy ?? STRICT,
    openProducer: async (options) => {
      producer.options = options;
      return producer;
    },
    ensureTopic: null,
    offsets: {
      read: async (partition) => stored.get(canonicalKey(partition)) ?? null,
      write:
        setup.writeOffsets ??
        (async (offsets: readonly PartitionOffset[]) => {
          for (const { partition, offset } of offsets) stored.set(canonicalKey(partition), offset);
        }),
    },
    exactlyOnce: null,
    activeTopic: (topic) => topics.push(topic),
    flushIntervalMs: setup.flushIntervalMs ?? 5,
    flushTimeoutMs: 1_000,
    log,
    now: () => performance.now(),
    random: () => 0.5,
  });
  return {
    producer,
    log,
    topics,
    calls,
    body,
    stored: (partition: OffsetMap = { file: "a" }) => stored.get(canonicalKey(partition))?.["position"] ?? null,
    push(...more: (readonly SourceRecord[] | Error)[]) {
      batches.push(...more);
      arrived();
    },
  };
}

const refusal = (index: number) => ({ index, code: "MSG_SIZE_TOO_LARGE", message: "too large" });
const purge = (index: number) => ({ index, code: "_PURGE_QUEUE", message: "purged" });

describe("source task", () => {
  afterEach(endTasks);

  it("tells the connector which batches are needed no more: acknowledged, skipped or dropped, and no others", async () => {
    const released: (readonly SourceRecord[])[] = [];
    const source = setUp({
      task: { released: (records) => void released.push(records) },
      transforms: [{ plugin: "drop", apply: (each) => (each.topic === "dropped" ? null : each), when: null }],
    });
    const run = runTask(source.body);
    const batches = [[record(1), record(2)], [{ ...record(3), topic: "dropped" }], [record(4)]];
    source.push(...batches);
    await eventually("all are under way", () => source.producer.batches.length === 2);
    assert.deepEqual(released, [batches[1]]);
    source.producer.settle(1);
    await eventually("the first", () => released.length === 2);
    assert.equal(released[1], batches[0]);
    source.producer.settle(2, [refusal(0)]);
    await run.until("FAILED");
    assert.equal(released.length, 2);
  });

  it("writes records, stores the offset behind the last one, tells the topic", async () => {
    const source = setUp();
    source.producer.autoSettle = true;
    const run = runTask(source.body);
    source.push([record(1), record(2)], [record(3)]);
    await eventually("the offset", () => source.stored() === 3);
    await run.runner.stop(1_000);
    assert.deepEqual(
      source.producer.batches.flat().map((each) => each.value),
      ["line 1", "line 2", "line 3"],
    );
    assert.deepEqual(new Set(source.topics), new Set(["t"]));
    assert.deepEqual(run.states, ["RUNNING", "UNASSIGNED"]);
    assert.deepEqual(source.calls, ["close"]);
    assert.equal(source.producer.closed, true);
  });

  it("stores nothing past an unacknowledged batch, though later ones are (invariant 1; guard: PendingOffsets.take stops at the first unsettled)", async () => {
    const source = setUp();
    const run = runTask(source.body);
    source.push([record(1)], [record(2)], [record(3)]);
    await source.producer.sent(3);
    source.producer.settle(1);
    source.producer.settle(3);
    await eventually("the head", () => source.stored() === 1);
    await assert.rejects(eventually("an offset past batch 2", () => source.stored() !== 1, 100));
    source.producer.settle(2);
    await eventually("all", () => source.stored() === 3);
    await run.runner.stop(1_000);
  });

  it("keeps source partitions apart: one that waits does not hold back another", async () => {
    const source = setUp();
    const run = runTask(source.body);
    source.push([record(1, { file: "a" })], [record(7, { file: "b" })]);
    await source.producer.sent(2);
    source.producer.settle(2);
    await eventually("b", () => source.stored({ file: "b" }) === 7);
    assert.equal(source.stored({ file: "a" }), null);
    source.producer.settle(1);
    await run.runner.stop(1_000);
  });

  it("flushes what is in flight before it stops, and stores its offset (invariant 6; guard: SourceRun.#flush)", async () => {
    const source = setUp({ flushIntervalMs: 60_000 });
    const run = runTask(source.body);
    source.push([record(1)], [record(2)]);
    await source.producer.sent(2);
    const stopping = run.runner.stop(2_000);
    await assert.rejects(eventually("the end", () => source.calls.includes("close"), 50));
    source.producer.settle(1);
    source.producer.settle(2);
    await stopping;
    assert.equal(source.stored(), 2);
  });

  it("never stores the offset of a batch that was cut short by a stop with a full queue (invariant 1; guard: state torn)", async () => {
    const source = setUp({ flushIntervalMs: 60_000 });
    const run = runTask(source.body);
    source.push([record(1)]);
    await source.producer.sent(1);
    source.producer.settle(1);
    source.producer.full = true;
    source.producer.settlesTorn = true;
    source.push([record(2), record(3)]);
    await source.producer.sent(2);
    await run.runner.stop(2_000);
    assert.ok(source.log.lines.includes("warn queue still full when the task ended"));
    assert.equal(source.stored(), 1);
    assert.deepEqual(run.states, ["RUNNING", "UNASSIGNED"]);
  });

  it("never stores the offset of a batch that settled before its send was cut short (invariant 1; guard: state sending)", async () => {
    const source = setUp({ flushIntervalMs: 60_000 });
    const run = runTask(source.body);
    source.producer.full = true;
    source.push([record(1), record(2)]);
    await source.producer.sent(1);
    source.producer.settle(1);
    await run.runner.stop(200);
    assert.equal(source.stored(), null);
  });

  it("lets a full queue drain within a stop's time, so that nothing is repeated (invariant 6)", async () => {
    const source = setUp({ flushIntervalMs: 60_000 });
    const run = runTask(source.body);
    source.producer.full = true;
    source.push([record(1), record(2)]);
    await source.producer.sent(1);
    const stopping = run.runner.stop(2_000);
    source.producer.autoSettle = true;
    source.producer.makeRoom();
    await stopping;
    assert.equal(source.stored(), 2);
  });

  it("fails at a refused record and stores nothing of its batch (invariant 1, tolerance none; guard: #accept returns before settle)", async () => {
    const source = setUp();
    const run = runTask(source.body);
    source.push([record(1)], [record(2), record(3)], [record(4)]);
    await source.producer.sent(3);
    source.producer.settle(1);
    source.producer.settle(2, [refusal(1)]);
    source.producer.settle(3);
    await run.until("FAILED");
    assert.match(String(run.error()), /Kafka refused a record for topic t: MSG_SIZE_TOO_LARGE: too large/);
    await run.runner.stop(1_000);
    assert.equal(source.stored(), 1);
    assert.deepEqual(run.states, ["RUNNING", "FAILED"]);
    assert.equal(source.producer.options?.stopOnFailure, true);
  });

  it("fails during a long poll, without waiting for its end", async () => {
    const source = setUp();
    const run = runTask(source.body);
    source.push([record(1)]);
    await source.producer.sent(1);
    source.producer.settle(1, [refusal(0)]);
    await run.until("FAILED");
  });

  it("skips a refused record under tolerance all, and tells the connector", async () => {
    const told: CommittedRecord[] = [];
    const source = setUp({ policy: LENIENT, task: { committed: (records) => void told.push(...records) } });
    const run = runTask(source.body);
    source.push([record(1), record(2)]);
    await source.producer.sent(1);
    source.producer.settle(1, [refusal(0)]);
    await eventually("the offset", () => source.stored() === 2);
    await run.runner.stop(1_000);
    assert.deepEqual(
      told.map(({ record: each, metadata }) => [each.sourceOffset["position"], metadata]),
      [
        [1, null],
        [2, { topic: "t", partition: 0, offset: 1001n }],
      ],
    );
    assert.equal(run.runner.metrics()["total-records-skipped"], 1);
    assert.equal(run.runner.metrics()["source-record-write-total"], 1);
  });

  for (const code of ["_PURGE_QUEUE", "_GAPLESS_GUARANTEE", "_INVALID_DIFFERENT_RECORD", "UNKNOWN_PRODUCER_ID"]) {
    it(`never skips a record that was not refused itself: ${code} (invariant 1; guard: NOT_THE_RECORD)`, async () => {
      const source = setUp({ policy: LENIENT });
      const run = runTask(source.body);
      source.push([record(1)]);
      await source.producer.sent(1);
      source.producer.settle(1, [{ index: 0, code, message: code }]);
      await run.until("FAILED");
      await run.runner.stop(1_000);
      assert.equal(source.stored(), null);
    });
  }

  it("names the refused record as the reason, not those purged behind it", async () => {
    const source = setUp();
    const run = runTask(source.body);
    source.push([record(1)], [record(2)]);
    await source.producer.sent(2);
    source.producer.settle(2, [purge(0)]);
    await assert.rejects(eventually("a failure", () => run.states.includes("FAILED"), 50));
    source.producer.settle(1, [refusal(0)]);
    await run.until("FAILED");
    assert.match(String(run.error()), /MSG_SIZE_TOO_LARGE/);
  });

  it("sends nothing when the lease ran out during the poll (invariant 3; guard: permit before send)", async () => {
    const source = setUp({ flushIntervalMs: 60_000 });
    const run = runTask(source.body);
    await run.until("RUNNING");
    run.loseLease();
    source.push([record(1)]);
    await eventually("the end", () => source.calls.includes("close"));
    assert.equal(source.producer.batches.length, 0);
    assert.deepEqual(run.states, ["RUNNING"]);
  });

  it("stores no offset after the lease ran out (invariant 3; guard: permit in #commit)", async () => {
    const source = setUp({ flushIntervalMs: 60_000 });
    const run = runTask(source.body);
    source.push([record(1)]);
    await source.producer.sent(1);
    run.loseLease();
    source.producer.settle(1);
    await run.runner.stop(1_000);
    assert.equal(source.stored(), null);
  });

  it("purges its producer at once when it is killed, and stores nothing (invariant 3)", async () => {
    const source = setUp({ flushIntervalMs: 60_000 });
    const run = runTask(source.body);
    source.push([record(1)], [record(2)]);
    await source.producer.sent(2);
    source.producer.settle(1);
    const killed = run.runner.kill(new Error("lease lost"));
    assert.equal(source.producer.closed, true);
    await killed;
    assert.equal(source.stored(), null);
    assert.deepEqual(run.states, ["RUNNING"]);
  });

  it("stores later what could not be stored (guard: giveBack)", async () => {
    const stored: PartitionOffset[] = [];
    let refuse = true;
    const source = setUp({
      async writeOffsets(offsets) {
        if (refuse) throw new Error("not now");
        stored.push(...offsets);
      },
    });
    source.producer.autoSettle = true;
    const run = runTask(source.body);
    source.push([record(1)]);
    await eventually("a failed commit", () => source.log.lines.includes("warn offset commit failed"));
    refuse = false;
    await eventually("the offset", () => stored.at(-1)?.offset["position"] === 1);
    await run.runner.stop(1_000);
  });

  it("goes on after RetriableError from poll, fails after any other", async () => {
    const source = setUp();
    source.producer.autoSettle = true;
    const run = runTask(source.body);
    source.push(new RetriableError("later"), [record(1)]);
    await eventually("the offset", () => source.stored() === 1);
    source.push(new Error("disk on fire"));
    await run.until("FAILED");
    assert.match(String(run.error()), /disk on fire/);
  });

  it("stands still while paused, and goes on without a restart", async () => {
    const source = setUp();
    source.producer.autoSettle = true;
    const run = runTask(source.body, { paused: true });
    await run.until("PAUSED");
    source.push([record(1)]);
    run.runner.setPaused(false);
    await eventually("the offset", () => source.stored() === 1);
    run.runner.setPaused(true);
    source.push([record(2)]);
    await run.until("PAUSED");
    source.push([record(3)]);
    await assert.rejects(eventually("progress", () => source.stored() === 3, 50));
    run.runner.setPaused(false);
    await eventually("the rest", () => source.stored() === 3);
    await run.runner.stop(1_000);
    assert.deepEqual(run.states, ["PAUSED", "RUNNING", "PAUSED", "RUNNING", "UNASSIGNED"]);
  });

  it("counts dropped records as processed, in their turn", async () => {
    const dropEven: TransformStep = {
      plugin: "drop",
      when: null,
      apply: (each) => (String(each.value.value).endsWith("2") ? null : each),
    };
    const source = setUp({ transforms: [dropEven] });
    const run = runTask(source.body);
    source.push([record(1)], [record(2)]);
    await source.producer.sent(1);
    await assert.rejects(eventually("the dropped batch to pass", () => source.stored() !== null, 50));
    source.producer.settle(1);
    await eventually("both", () => source.stored() === 2);
    await run.runner.stop(1_000);
    assert.equal(source.producer.batches.length, 1);
  });

  it("retries a transform that asks for it, within errors.retry.timeout", async () => {
    let failures = 1;
    const flaky: TransformStep = {
      plugin: "flaky",
      when: null,
      apply(each) {
        if (failures-- > 0) throw new RetriableError("busy");
        return each;
      },
    };
    const source = setUp({ transforms: [flaky], policy: { ...STRICT, retryTimeoutMs: 5_000, retryDelayMaxMs: 10 } });
    source.producer.autoSettle = true;
    const run = runTask(source.body);
    source.push([record(1)]);
    await eventually("the offset", () => source.stored() === 1);
    assert.equal(run.runner.metrics()["total-retries"], 1);
    await run.runner.stop(1_000);
  });

  it("waits for what a converter has to fetch first, and keeps the order; a failed fetch is the record's failure", async () => {
    const schema = Promise.withResolvers<void>();
    const states = { known: false, fails: false };
    const fetching: TransformStep = {
      plugin: "fetching",
      when: null,
      apply(each) {
        if (states.fails) throw new NotReady(Promise.reject(new DataError("no such schema")));
        if (!states.known) throw new NotReady(schema.promise);
        return each;
      },
    };
    const source = setUp({ transforms: [fetching] });
    source.producer.autoSettle = true;
    const run = runTask(source.body);
    source.push([record(1), record(2)]);
    assert.equal(source.stored(), null);
    states.known = true;
    schema.resolve();
    await eventually("the offsets", () => source.stored() === 2);
    assert.equal(run.runner.metrics()["total-record-failures"], 0);
    states.fails = true;
    source.push([record(3)]);
    await run.until("FAILED");
    const error = run.error();
    assert.ok(error instanceof Error && error.cause instanceof DataError && error.cause.message === "no such schema");
  });

  it("does not wait for a converter any longer once Kafka has refused an earlier record", async () => {
    const never = Promise.withResolvers<void>();
    const fetching: TransformStep = {
      plugin: "fetching",
      when: (each) => each.value.value === "line 2",
      apply: () => {
        throw new NotReady(never.promise);
      },
    };
    const source = setUp({ transforms: [fetching] });
    const run = runTask(source.body);
    source.push([record(1)], [record(2)]);
    await source.producer.sent(1);
    source.producer.settle(1, [refusal(0)]);
    await run.until("FAILED");
    await eventually("the task's end", () => source.calls.includes("close"));
    assert.match(String(run.error()), /Kafka refused a record/);
    assert.equal(source.stored(), null);
  });

  it("fails on a record that cannot be converted, and skips it under tolerance all", async () => {
    const strange = { ...record(1), value: { schema: null, value: null }, key: { schema: null, value: 5 } };
    const strict = setUp();
    const failed = runTask(strict.body);
    strict.push([strange]);
    await failed.until("FAILED");
    const error = failed.error();
    assert.ok(error instanceof Error && error.cause instanceof DataError);
    assert.equal(error.message, "Tolerance exceeded in error handler");

    const lenient = setUp({ policy: LENIENT });
    lenient.producer.autoSettle = true;
    const run = runTask(lenient.body);
    lenient.push([strange, record(2)]);
    await eventually("the offset", () => lenient.stored() === 2);
    await run.runner.stop(1_000);
    assert.equal(lenient.producer.batches[0]?.length, 1);
  });

  it("stores what was acknowledged even if the poll never ends, and says that it did not stop", async () => {
    let polls = 0;
    const stuck = setUp({
      flushIntervalMs: 60_000,
      task: { poll: () => (polls++ === 0 ? Promise.resolve([record(1)]) : new Promise(() => {})) },
    });
    stuck.producer.autoSettle = true;
    const run = runTask(stuck.body);
    await eventually("the second poll", () => polls === 2);
    await assert.rejects(run.runner.stop(200), { code: "timeout" });
    assert.equal(stuck.stored(), 1);
    assert.deepEqual(stuck.calls, []);
  });

  it("fails when the producer fails for good", async () => {
    const source = setUp();
    const run = runTask(source.body);
    await run.until("RUNNING");
    source.producer.fail(new Error("fenced"));
    await run.until("FAILED");
    assert.match(String(run.error()), /fenced/);
  });
});
