import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import {
  type CommittedRecord,
  NotReady,
  type OffsetMap,
  type SourceRecord,
  type SourceTaskContext,
  STRING_SCHEMA,
  Utf8Text,
} from "@headrace/sdk";
import { byteArrayConverter } from "#runtime/converters/byte-array.ts";
import { stringConverter } from "#runtime/converters/string.ts";
import type { OutboundRecord } from "#runtime/kafka/record-producer.ts";
import { createPluginMetrics } from "#runtime/task/plugin-metrics.ts";
import { compileSourcePipeline } from "#runtime/task/record-pipeline.ts";
import type { TransactionBoundary } from "#runtime/task/source-options.ts";
import { createSourceTask } from "#runtime/task/source-task.ts";
import { eventually } from "#support/eventually.ts";
import { createFakeTransactionalProducer } from "#support/fake-transactional-producer.ts";
import { createLogRecorder, endTasks, runTask } from "#support/task-run.ts";

const OFFSETS = "offsets";

function record(position: number, topic = "t"): SourceRecord {
  const value = { schema: STRING_SCHEMA, value: `line ${position}` };
  return { topic, value, sourcePartition: { file: "a" }, sourceOffset: { position } };
}

type Poll = readonly SourceRecord[] | ((context: SourceTaskContext) => readonly SourceRecord[]);

interface Setup {
  readonly boundary?: TransactionBoundary;
  readonly isCurrent?: boolean;
  readonly dropped?: string;
  /** What a converter has to fetch before it can convert this record. */
  readonly fetching?: { readonly line: string; readonly ready: Promise<void>; done: boolean };
  readonly listens?: boolean;
}

/** A source whose polls give what the test pushes, with a producer in memory. */
function setUp(setup: Setup = {}) {
  const producer = createFakeTransactionalProducer();
  const polls: Poll[] = [];
  const steps: string[] = [];
  const topics: string[] = [];
  const told: CommittedRecord[] = [];
  const copies: OffsetMap[] = [];
  const log = createLogRecorder();
  let arrived = () => {};
  const body = createSourceTask({
    label: "c-0",
    context: { connector: "c", task: 0, log, metrics: createPluginMetrics().metrics },
    async openTask(context) {
      steps.push("open");
      return {
        async poll(signal) {
          if (polls.length === 0) {
            await new Promise<void>((resolve) => {
              arrived = resolve;
              signal.addEventListener("abort", () => resolve(), { once: true });
            });
          }
          const next = polls.shift() ?? [];
          return typeof next === "function" ? next(context) : next;
        },
        ...(setup.listens === true && {
          committed: (records: readonly CommittedRecord[]) => void told.push(...records),
        }),
        close: () => void steps.push("close"),
      };
    },
    pipeline: compileSourcePipeline({
      transforms: [
        {
          plugin: "drop",
          when: null,
          apply: (each) => (each.value.value === setup.dropped ? null : each),
        },
        {
          plugin: "fetch",
          when: (each) => setup.fetching?.done === false && each.value.value === setup.fetching.line,
          apply: () => {
            throw new NotReady(setup.fetching?.ready ?? Promise.resolve());
          },
        },
      ],
      key: { plugin: "bytes", converter: byteArrayConverter.compile({}, true) },
      value: { plugin: "string", converter: stringConverter.compile({ "converter.encoding": "UTF-8" }, false) },
      header: {
        plugin: "bytes",
        converter: { encodeHeader: () => null, decodeHeader: () => ({ schema: null, value: null }) },
      },
    }),
    policy: {
      tolerance: "all",
      retryTimeoutMs: 0,
      retryDelayMaxMs: 60_000,
      logEnable: false,
      logIncludeMessages: false,
    },
    openProducer: () => assert.fail("records go in transactions"),
    ensureTopic: null,
    offsets: {
      read: async () => {
        assert.ok(producer.initialized, "the id is taken before offsets are read");
        return null;
      },
      write: () => assert.fail("offsets go in transactions"),
    },
    exactlyOnce: {
      boundary: setup.boundary ?? { kind: "poll" },
      fence: async () => void steps.push("fence"),
      async openProducer() {
        steps.push("producer");
        return producer;
      },
      async isCurrent() {
        steps.push(producer.initialized ? "current?" : "too early");
        return setup.isCurrent ?? true;
      },
      offsetsTopic: OFFSETS,
      offsets: {
        encode: async (offsets) =>
          offsets.map(({ partition, offset }) => ({
            key: Buffer.from(JSON.stringify(partition)),
            value: Buffer.from(JSON.stringify(offset)),
          })),
        committed: (offsets) => copies.push(...offsets.map(({ offset }) => offset)),
      },
    },
    activeTopic: (topic) => topics.push(topic),
    flushIntervalMs: 60_000,
    flushTimeoutMs: 1_000,
    log,
    now: () => performance.now(),
    random: () => 0.5,
  });
  const text = (value: OutboundRecord["value"]) =>
    value instanceof Utf8Text ? value.value : (value?.toString() ?? "");
  return {
    producer,
    steps,
    topics,
    told,
    copies,
    log,
    body,
    /** Transactions as `line 1, line 2 @2`: the records, and the position stored with them. */
    transactions: () =>
      producer.committed.map((records) => {
        const lines = records.filter(({ topic }) => topic !== OFFSETS).map(({ value }) => text(value));
        const offsets = records.filter(({ topic }) => topic === OFFSETS).map(({ value }) => JSON.parse(text(value)));
        return `${lines.join(", ")} @${offsets.map(({ position }) => position).join()}`;
      }),
    push(...more: Poll[]) {
      polls.push(...more);
      arrived();
    },
  };
}

describe("exactly-once source task", () => {
  afterEach(endTasks);

  it("fences, takes the id and looks whether it is current, in this order, before it opens", async () => {
    const source = setUp();
    const run = runTask(source.body);
    await run.until("RUNNING");
    assert.deepEqual(source.steps, ["fence", "producer", "current?", "open"]);
    await run.runner.stop(1_000);
    assert.ok(source.producer.closed);
  });

  it("opens nothing and says nothing if a newer task set is there (invariant 3; guard: isCurrent in takeOver)", async () => {
    const source = setUp({ isCurrent: false });
    const run = runTask(source.body);
    await eventually("the producer's end", () => source.producer.closed);
    assert.deepEqual(source.steps, ["fence", "producer", "current?"]);
    assert.deepEqual(run.states, []);
    await run.runner.stop(1_000);
    assert.deepEqual(run.states, ["UNASSIGNED"]);
  });

  it("commits each batch with its offset (boundary poll), and copies the offset afterwards", async () => {
    const source = setUp();
    const run = runTask(source.body);
    source.push([record(1), record(2)], [], [record(3)]);
    await eventually("two transactions", () => source.producer.committed.length === 2);
    await run.runner.stop(1_000);
    assert.deepEqual(source.transactions(), ["line 1, line 2 @2", "line 3 @3"]);
    assert.deepEqual(source.copies, [{ position: 2 }, { position: 3 }]);
    const metrics = run.runner.metrics();
    assert.equal(metrics["transaction-size-max"], 2);
    assert.equal(metrics["source-record-write-total"], 3);
    assert.equal(metrics["source-record-active-count"], 0);
  });

  it("stores the offset of a batch of which nothing is left", async () => {
    const source = setUp({ dropped: "line 1" });
    const run = runTask(source.body);
    source.push([record(1)]);
    await eventually("a transaction", () => source.producer.committed.length === 1);
    await run.runner.stop(1_000);
    assert.deepEqual(source.transactions(), [" @1"]);
  });

  it("commits by time (boundary interval), also while a poll waits", async () => {
    const source = setUp({ boundary: { kind: "interval", intervalMs: 150 } });
    const run = runTask(source.body);
    source.push([record(1)], [record(2)]);
    await eventually("the transaction", () => source.producer.committed.length >= 1);
    assert.equal(source.transactions().join("; ").includes("line 1, line 2 @2"), true);
    await run.runner.stop(1_000);
  });

  it("commits by time also while a record waits for its schema: the transaction would time out", async () => {
    const schema = Promise.withResolvers<void>();
    const fetching = { line: "line 2", ready: schema.promise, done: false };
    const source = setUp({ boundary: { kind: "interval", intervalMs: 150 }, fetching });
    const run = runTask(source.body);
    source.push([record(1)], [record(2)]);
    await eventually("the transaction before it", () => source.producer.committed.length === 1);
    assert.deepEqual(source.transactions(), ["line 1 @1"]);
    fetching.done = true;
    schema.resolve();
    await eventually("its own transaction", () => source.producer.committed.length === 2);
    assert.deepEqual(source.transactions(), ["line 1 @1", "line 2 @2"]);
    await run.runner.stop(1_000);
  });

  it("commits what is open when it is stopped", async () => {
    const source = setUp({ boundary: { kind: "interval", intervalMs: 60_000 } });
    const run = runTask(source.body);
    source.push([record(1)]);
    await eventually("an open transaction", () => source.producer.open?.length === 1);
    await run.runner.stop(1_000);
    assert.deepEqual(source.transactions(), ["line 1 @1"]);
  });

  it("drops what Kafka does not take before it is stopped, so that nobody has to wait for its transaction's end", async () => {
    const { body, producer, push } = setUp();
    producer.away = true;
    push([record(1)]);
    const run = runTask(body);
    await eventually("sent", () => producer.open?.some(({ topic }) => topic === OFFSETS) === true);
    await run.runner.stop(400);
    assert.deepEqual([producer.committed, producer.aborts, run.states.at(-1)], [[], 1, "UNASSIGNED"]);
  });

  it("commits what is open before it stands still", async () => {
    const source = setUp({ boundary: { kind: "interval", intervalMs: 60_000 } });
    const run = runTask(source.body);
    source.push([record(1)]);
    await eventually("an open transaction", () => source.producer.open?.length === 1);
    run.runner.setPaused(true);
    source.push([record(2)]);
    await run.until("PAUSED");
    assert.deepEqual(source.transactions(), ["line 1, line 2 @2"]);
    await run.runner.stop(1_000);
  });

  it("commits nothing when it is killed (invariant 3)", async () => {
    const source = setUp({ boundary: { kind: "interval", intervalMs: 60_000 } });
    const run = runTask(source.body);
    source.push([record(1)]);
    await eventually("an open transaction", () => source.producer.open?.length === 1);
    await run.runner.kill(new Error("lease lost"));
    assert.deepEqual(source.transactions(), []);
  });

  it("commits nothing if its lease ends while Kafka takes the last records (invariant 3; guard: permit before commit)", async () => {
    const source = setUp();
    const run = runTask(source.body);
    source.producer.flush = async () => run.loseLease();
    source.push([record(1)]);
    await eventually("the end of the lease", () => source.producer.closed);
    assert.deepEqual(source.transactions(), []);
  });

  it("begins nothing without its lease (invariant 3; guard: permit in #produce)", async () => {
    const source = setUp({ boundary: { kind: "interval", intervalMs: 60_000 } });
    const run = runTask(source.body);
    source.push([record(1)]);
    await eventually("an open transaction", () => source.producer.open?.length === 1);
    run.loseLease();
    await run.runner.stop(1_000);
    assert.deepEqual(source.transactions(), []);
  });

  it("lets the connector end transactions, at a record and after a batch", async () => {
    const source = setUp({ boundary: { kind: "connector" } });
    const run = runTask(source.body);
    const [one, two, three, four] = [record(1), record(2), record(3), record(4)];
    source.push(
      ({ transactions }) => {
        transactions?.commitTransaction(two);
        return [one, two, three];
      },
      ({ transactions }) => {
        transactions?.commitTransaction();
        return [four];
      },
      [record(5)],
    );
    await eventually("record 5", () => source.producer.committed.length === 2 && source.producer.open?.length === 1);
    assert.deepEqual(source.transactions(), ["line 1, line 2 @2", "line 3, line 4 @4"]);
    await run.runner.stop(1_000);
    assert.deepEqual(
      source.transactions(),
      ["line 1, line 2 @2", "line 3, line 4 @4"],
      "5 was not said to be complete",
    );
  });

  it("drops what the connector aborts, and stores its offsets all the same", async () => {
    const source = setUp({ boundary: { kind: "connector" }, listens: true });
    const run = runTask(source.body);
    const two = record(2);
    source.push(
      ({ transactions }) => {
        transactions?.abortTransaction(two);
        return [record(1), two, record(3)];
      },
      ({ transactions }) => {
        transactions?.commitTransaction();
        return [record(4)];
      },
      ({ transactions }) => {
        transactions?.abortTransaction();
        return [record(5)];
      },
    );
    await eventually("both", () => source.producer.committed.length === 2);
    await run.runner.stop(1_000);
    assert.deepEqual(source.transactions(), ["line 3, line 4 @4", " @5"]);
    assert.deepEqual(
      source.told.map(({ record: each, metadata }) => [each.sourceOffset["position"], metadata !== null]),
      [
        [1, false],
        [2, false],
        [3, true],
        [4, true],
        [5, false],
      ],
    );
  });

  it("fails a connector that wants the same transaction committed and aborted", async () => {
    const source = setUp({ boundary: { kind: "connector" } });
    const run = runTask(source.body);
    source.push(({ transactions }) => {
      transactions?.commitTransaction();
      transactions?.abortTransaction();
      return [];
    });
    await run.until("FAILED");
    assert.match(String(run.error()), /both a commit and an abort/);
  });

  it("gives no say to connectors where the boundary is not theirs", async () => {
    const source = setUp();
    const run = runTask(source.body);
    let transactions: unknown;
    source.push((context) => {
      transactions = context.transactions;
      return [record(1)];
    });
    await eventually("the batch", () => source.producer.committed.length === 1);
    assert.equal(transactions, null);
    await run.runner.stop(1_000);
  });

  it("tells the connector and the topic after the commit", async () => {
    const source = setUp({ boundary: { kind: "interval", intervalMs: 60_000 }, listens: true });
    const run = runTask(source.body);
    source.push([record(1)]);
    await eventually("an open transaction", () => source.producer.open?.length === 1);
    assert.deepEqual([source.told, source.topics], [[], []]);
    await run.runner.stop(1_000);
    assert.deepEqual(source.topics, ["t"]);
    assert.deepEqual(source.told[0]?.metadata, { topic: "t", partition: 0, offset: 1000n });
  });

  it("fails at a refused record, whatever the tolerance, and commits nothing of its transaction", async () => {
    const source = setUp();
    source.producer.refuse = "line 2";
    const run = runTask(source.body);
    source.push([record(1)], [record(2), record(3)]);
    await run.until("FAILED");
    assert.match(String(run.error()), /Kafka refused a record: INVALID_RECORD: refused/);
    await run.runner.stop(1_000);
    assert.deepEqual(source.transactions(), ["line 1 @1"]);
  });

  it("hints at the newer generation when it is fenced, also during a long poll", async () => {
    const source = setUp();
    const run = runTask(source.body);
    await run.until("RUNNING");
    source.producer.fence();
    await run.until("FAILED");
    assert.match(String(run.error()), /Task c-0 was fenced: .*newer generation/);
  });

  it("does not let a task write to its own offsets topic", async () => {
    const source = setUp();
    const run = runTask(source.body);
    source.push([record(1, OFFSETS)]);
    await run.until("FAILED");
    assert.match(String(run.error()), /must not produce to its own offsets topic offsets/);
    assert.deepEqual(source.transactions(), []);
  });
});
