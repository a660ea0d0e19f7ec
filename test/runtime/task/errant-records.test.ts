import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { type SinkRecord, Utf8Text } from "@headrace/sdk";
import type { FailedRecord } from "#runtime/task/error-handler.ts";
import type { RawRecord } from "#runtime/task/raw-record.ts";
import { eventually } from "#support/eventually.ts";
import { inboundBatch } from "#support/fake-record-consumer.ts";
import { at, STRICT, setUpSink } from "#support/sink-run.ts";
import { endTasks, runTask } from "#support/task-run.ts";

const TOLERANT = { ...STRICT, tolerance: "all" as const };

describe("errant records", () => {
  afterEach(endTasks);

  it("can be reported only where there is a place for them", async () => {
    const sink = setUpSink();
    const run = runTask(sink.body);
    sink.assign(0);
    await sink.consumer.drained();
    assert.equal(sink.context().errantRecords, null);
    await run.runner.stop(1_000);
  });

  it("go to the dead letter queue with their original bytes, and cover offsets only when they are there (invariant 2)", async () => {
    const letters: { readonly raw: RawRecord; readonly failed: FailedRecord }[] = [];
    const safe = Promise.withResolvers<void>();
    const sink = setUpSink({
      json: true,
      policy: TOLERANT,
      flushIntervalMs: 5,
      transforms: [{ plugin: "x", when: null, apply: (record) => ({ ...record, topic: "elsewhere" }) }],
      deadLetters: () => ({
        store: async (raw, failed) => {
          letters.push({ raw, failed });
          await safe.promise;
        },
        flush: () => safe.promise,
      }),
      task: {
        async put(records) {
          for (const record of records) void sink.context().errantRecords?.report(record, new TypeError("no column"));
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(3n, '{ "a" :1}'));
    await eventually("the letter", () => letters.length === 1);
    await assert.rejects(eventually("a commit", () => sink.consumer.committed.size > 0, 50));
    safe.resolve();
    await eventually("the commit", () => sink.consumer.committed.get("t-0") === 4n);
    const [letter] = letters;
    assert.equal(String(letter?.raw.value), '{ "a" :1}');
    assert.deepEqual([letter?.raw.topic, letter?.raw.offset], ["t", 3n]);
    assert.deepEqual(
      [letter?.failed.stage, letter?.failed.plugin],
      ["TASK_PUT", "org.apache.kafka.connect.sink.SinkTask"],
    );
    const { "total-record-errors": errors, "total-records-skipped": skipped } = run.runner.metrics();
    assert.deepEqual([errors, skipped], [1, 0]);
    await run.runner.stop(1_000);
  });

  it("are serialised again when their bytes are not kept any more", async () => {
    const letters: RawRecord[] = [];
    const sink = setUpSink({
      json: true,
      policy: TOLERANT,
      deadLetters: () => ({ store: async (raw) => void letters.push(raw) }),
      task: {
        async put(records) {
          for (const record of records) {
            const moved = { ...record, original: { ...record.original, offset: 99n } };
            await sink.context().errantRecords?.report(moved, new Error("no"));
          }
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n, '{ "a" :1}'));
    await eventually("the letter", () => letters.length === 1);
    assert.equal(String(letters[0]?.value), '{"a":1}');
    await run.runner.stop(1_000);
  });

  it("are never made of text whose memory holds other records by then: the task fails and they come again (invariant 2)", async () => {
    const letters: string[] = [];
    const kept: SinkRecord[] = [];
    const long = Buffer.alloc(17 * 1024 * 1024);
    const batches = [inboundBatch([at(0n, "first")]), inboundBatch([{ offset: 1n, value: long }])];
    const sink = setUpSink({
      takesUtf8Text: true,
      policy: TOLERANT,
      deadLetters: () => ({ store: async (raw) => void letters.push(String(raw.value)) }),
      task: {
        async put(records) {
          kept.push(...records);
          const [first] = kept;
          if (kept.length < batches.length || first === undefined) return;
          assert.ok(first.value instanceof Utf8Text);
          batches[0]?.data.fill("?");
          void sink.context().errantRecords?.report(first, new Error("refused later"));
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    for (const batch of batches) sink.consumer.push({ kind: "batch", batch });
    await run.until("FAILED");
    await run.runner.stop(1_000);
    assert.deepEqual(letters, []);
    assert.match(String(run.error()), /t-0@0 was reported long after its delivery/);
  });

  it("fail the task under tolerance none, even if it swallows the rejection, after they were logged", async () => {
    const outcome = Promise.withResolvers<string>();
    const sink = setUpSink({
      policy: { ...STRICT, logEnable: true, logIncludeMessages: true },
      task: {
        async put(records: readonly SinkRecord[]) {
          const [record] = records;
          if (record === undefined) return;
          const report = sink.context().errantRecords?.report(record, new Error("no column"));
          await report?.catch((error: Error) => outcome.resolve(error.message));
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver({ ...at(7n), timestamp: 5 });
    assert.equal(await outcome.promise, "Tolerance exceeded in error handler");
    await run.until("FAILED");
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.size, 0);
    assert.ok(
      sink.lines.includes(
        "error Error encountered in task c-0. Executing stage 'TASK_PUT' with class 'org.apache.kafka.connect.sink.SinkTask', where consumed record is {topic='t', partition=0, offset=7, timestamp=5, timestampType=CreateTime}.",
      ),
      sink.lines.join("\n"),
    );
  });

  it("that are reported after their put keep their offsets from being committed, if they fail the task (invariant 2; guard: throwIfFailed in #flush)", async () => {
    const kept: SinkRecord[] = [];
    const sink = setUpSink({
      policy: { ...STRICT, logEnable: true },
      flushIntervalMs: 5,
      task: {
        put: async (records) => void kept.push(...records),
        async flush() {
          for (const record of kept)
            sink
              .context()
              .errantRecords?.report(record, new Error("refused later"))
              .catch(() => {});
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await run.until("FAILED");
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.size, 0);
  });

  it("fail the task when they cannot be stored", async () => {
    const sink = setUpSink({
      policy: TOLERANT,
      flushIntervalMs: 5,
      deadLetters: () => ({ store: () => Promise.reject(new Error("queue is gone")) }),
      task: {
        async put(records) {
          for (const record of records) void sink.context().errantRecords?.report(record, new Error("no"));
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await run.until("FAILED");
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.size, 0);
  });
});

describe("records that cannot be converted", () => {
  afterEach(endTasks);

  it("go to the dead letter queue also when the task fails of them, as in Java", async () => {
    const letters: RawRecord[] = [];
    const sink = setUpSink({ json: true, deadLetters: () => ({ add: async (raw) => void letters.push(raw) }) });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n, "{broken"));
    await run.until("FAILED");
    await run.runner.stop(1_000);
    assert.deepEqual(
      letters.map((each) => String(each.value)),
      ["{broken"],
    );
    assert.equal(sink.consumer.committed.size, 0);
  });
});
