import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, describe, it } from "node:test";
import { DataError, NotReady, RetriableError, Utf8Text } from "@headrace/sdk";
import type { TransformStep } from "#runtime/task/record-pipeline.ts";
import { eventually } from "#support/eventually.ts";
import { inboundBatch } from "#support/fake-record-consumer.ts";
import { at, STRICT, setUpSink, show } from "#support/sink-run.ts";
import { endTasks, runTask } from "#support/task-run.ts";

describe("sink task", () => {
  afterEach(endTasks);

  describe("that waits for a schema", () => {
    function setUpWaiting() {
      const fetched = Promise.withResolvers<void>();
      let known = false;
      const fetching: TransformStep = {
        plugin: "fetching",
        when: null,
        apply(record) {
          if (!known) throw new NotReady(fetched.promise);
          if (record.value.value === "bad") throw new DataError("bad");
          return record;
        },
      };
      const sink = setUpSink({ transforms: [fetching] });
      const puts = () => sink.acts().filter((each) => each.startsWith("put "));
      return {
        sink,
        run: runTask(sink.body),
        fetched,
        know() {
          known = true;
          fetched.resolve();
        },
        /** What is fetched for the records that wait is not there; there is nothing to fetch for others. */
        refuse() {
          known = true;
          fetched.reject(new DataError("no such schema"));
        },
        put: () =>
          puts()
            .map((each) => each.slice("put ".length))
            .join(" "),
        waits: () => eventually("the sink waits", () => sink.log.some((each) => each.startsWith("pause "))),
      };
    }

    it("polls the consumer meanwhile, and puts what has waited in order", async () => {
      const { sink, run, know, put, waits } = setUpWaiting();
      sink.assign(0);
      sink.deliver(at(0n, "a"));
      await waits();
      // Fetched ahead.
      sink.deliver(at(1n, "b"));
      await sink.consumer.drained();
      assert.equal(put(), "");
      know();
      await eventually("both are put", () => put() === "0:0=a 0:1=b");
      await eventually("it goes on", () => sink.log.at(-1) === "resume t-0");
      sink.deliver(at(2n, "c"));
      await eventually("the next one is put", () => put() === "0:0=a 0:1=b 0:2=c");
      await run.runner.stop(1_000);
      assert.equal(sink.consumer.committed.get("t-0"), 3n);
    });

    it("never puts what is of a partition that went away (invariant 3; guard: #intake.drop)", async () => {
      const { sink, run, know, put, waits } = setUpWaiting();
      sink.assign(0, 1);
      sink.deliver(at(0n, "a"), at(0n, "x", 1));
      await waits();
      sink.revoke(true, 0);
      await sink.consumer.drained();
      assert.ok(sink.log.includes("lost 0"), "the consumer's event is taken while the records wait");
      know();
      await eventually("the other one is put", () => put() === "1:0=x");
      sink.assign(0);
      sink.deliver(at(0n, "a"));
      await eventually("it is put when it comes again", () => put() === "1:0=x 0:0=a");
      await run.runner.stop(1_000);
    });

    it("does not mind what fails of a partition that went away (invariant 3; guard: isWanted)", async () => {
      for (const end of ["know", "refuse"] as const) {
        const waiting = setUpWaiting();
        const { sink, run, put, waits } = waiting;
        sink.assign(0, 1);
        sink.deliver(at(0n, "bad"), at(0n, "x", 1));
        await waits();
        sink.revoke(true, 0);
        await sink.consumer.drained();
        waiting[end]();
        await eventually("the other one is put", () => put() === "1:0=x");
        await run.runner.stop(1_000);
        assert.equal(run.states.includes("FAILED"), false);
        assert.equal(sink.body.metrics()["total-record-failures"], 0);
      }
    });

    it("counts what waits as active, whatever is put meanwhile", async () => {
      const { sink, run, know, put, waits } = setUpWaiting();
      const active = () => sink.body.metrics()["sink-record-active-count"];
      sink.assign(0);
      sink.deliver(at(0n, "a"), at(1n, "b"));
      await waits();
      await sink.consumer.drained();
      await sink.consumer.drained();
      assert.equal(active(), 2);
      know();
      await eventually("both are put", () => put() === "0:0=a 0:1=b" && active() === 0);
      await run.runner.stop(1_000);
    });

    it("fails of what its consumer fails of just when the records are ready", async () => {
      const { sink, run, know, waits } = setUpWaiting();
      sink.assign(0);
      sink.deliver(at(0n, "a"));
      await waits();
      const polled = Promise.withResolvers<void>();
      sink.consumer.next = async (_, signal) => {
        polled.resolve();
        await once(signal, "abort");
        throw new Error("not authorised");
      };
      await polled.promise;
      know();
      await run.until("FAILED");
      assert.match(String(run.error()), /not authorised/);
    });

    it("drops all of it when all partitions went away, and goes on with others", async () => {
      const { sink, run, know, put, waits } = setUpWaiting();
      sink.assign(0);
      sink.deliver(at(0n, "a"));
      await waits();
      sink.revoke(false, 0);
      sink.assign(1);
      await sink.consumer.drained();
      know();
      sink.deliver(at(5n, "x", 1));
      await eventually("the new one is put", () => put() === "1:5=x");
      await run.runner.stop(1_000);
      assert.equal(sink.consumer.committed.has("t-0"), false);
    });

    it("fails of what it waited for, and stops while it waits", async () => {
      const failing = setUpWaiting();
      failing.sink.assign(0);
      failing.sink.deliver(at(0n));
      await failing.waits();
      failing.fetched.reject(new DataError("no such schema"));
      await failing.run.until("FAILED");
      const stopped = setUpWaiting();
      stopped.sink.assign(0);
      stopped.sink.deliver(at(0n));
      await stopped.waits();
      await stopped.run.runner.stop(60_000);
      assert.deepEqual([stopped.put(), stopped.run.states.at(-1)], ["", "UNASSIGNED"]);
    });
  });

  it("opens, puts, and on stop flushes, commits, releases, closes, in this order", async () => {
    const sink = setUpSink();
    const run = runTask(sink.body);
    sink.assign(0, 1);
    sink.deliver(at(0n, "a"), at(1n, "b"), at(7n, "c", 1));
    await sink.consumer.drained();
    await run.runner.stop(1_000);
    assert.deepEqual(sink.log, [
      "open 0,1",
      "acknowledge",
      "put 0:0=a 0:1=b 1:7=c",
      "flush",
      "release 0,1",
      "commit t-0@2 t-1@8",
      "close task",
      "close",
    ]);
    assert.deepEqual(new Set(sink.topics), new Set(["t"]));
    assert.deepEqual(run.states, ["RUNNING", "UNASSIGNED"]);
  });

  it("commits only what a flush has covered (invariant 2; guard: #commit awaits #flush)", async () => {
    const flushed = Promise.withResolvers<void>();
    const flushing = Promise.withResolvers<void>();
    const sink = setUpSink({
      flushIntervalMs: 1,
      task: {
        flush: () => {
          flushing.resolve();
          return flushed.promise;
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await flushing.promise;
    await assert.rejects(eventually("a commit", () => sink.consumer.committed.size > 0, 50));
    flushed.resolve();
    await eventually("the commit", () => sink.consumer.committed.get("t-0") === 1n);
    await run.runner.stop(1_000);
  });

  it("does not commit what put refused (invariant 2; guard: processed only after put)", async () => {
    const sink = setUpSink({
      task: {
        put: async (records) => {
          if (records.some((record) => record.offset === 1n)) throw new Error("table is full");
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    sink.deliver(at(1n), at(2n));
    await run.until("FAILED");
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.get("t-0"), 1n);
    const error = run.error();
    assert.ok(error instanceof Error && error.cause instanceof Error);
    assert.equal(error.message, "Exiting WorkerSinkTask due to unrecoverable exception.");
    assert.equal(error.cause.message, "table is full");
  });

  it("goes back and does not commit when a flush fails (invariant 2)", async () => {
    let failures = 1;
    const sink = setUpSink({
      flushIntervalMs: 30,
      task: {
        flush: async () => {
          if (failures-- > 0) throw new Error("no space");
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(5n), at(6n));
    await eventually("the seek", () => sink.log.includes("seek t-0@0"));
    assert.equal(sink.consumer.committed.size, 0);
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.size, 0);
  });

  it("delivers the same batch again after RetriableError, paused but polled meanwhile", async () => {
    let failures = 2;
    const puts: string[] = [];
    const sink = setUpSink({
      task: {
        put: async (records) => {
          if (records.length === 0) return;
          puts.push(show(records));
          if (failures-- > 0) throw new RetriableError("busy");
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n, "a"), at(1n, "b"));
    await eventually("the third put", () => puts.length === 3);
    await sink.consumer.drained();
    assert.deepEqual(new Set(puts), new Set(["0:0=a 0:1=b"]));
    assert.deepEqual(sink.log.slice(2), ["pause t-0", "resume t-0"]);
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.get("t-0"), 2n);
  });

  it("keeps what text says of batches that wait for redelivery, though their memory is filled again", async () => {
    const batches = [inboundBatch([at(0n, "a"), at(1n, "b")]), inboundBatch([at(2n, "c")])];
    let tookBytes: boolean | null = null;
    const sink = setUpSink({
      takesUtf8Text: true,
      task: {
        async put(records) {
          if (records.length === 0) return;
          if (tookBytes === null) {
            tookBytes = records.every(({ value }) => value instanceof Utf8Text);
            throw new RetriableError("busy");
          }
          for (const { data } of batches) data.fill("x");
          sink.log.push(`put ${show(records)}`);
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    for (const batch of batches) sink.consumer.push({ kind: "batch", batch });
    await eventually("the redelivery", () => sink.log.includes("put 0:0=a 0:1=b 0:2=c"));
    assert.equal(tookBytes, true);
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.get("t-0"), 3n);
  });

  it("drops a revoked partition from a batch that waits for redelivery, and does not commit it (invariants 2, 3; guard: #dropWaiting)", async () => {
    let busy = true;
    const sink = setUpSink({
      task: {
        async put(records) {
          if (records.length > 0 && busy) throw new RetriableError("busy");
          if (records.length > 0) sink.log.push(`put ${show(records)}`);
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0, 1);
    sink.deliver(at(0n, "a"), at(0n, "b", 1));
    await eventually("the pause", () => sink.log.includes("pause t-0 t-1"));
    sink.revoke(false, 0);
    await eventually("the release", () => sink.log.includes("release 0"));
    busy = false;
    await eventually("the redelivery", () => sink.log.includes("put 1:0=b"));
    await run.runner.stop(1_000);
    assert.deepEqual([...sink.consumer.committed], [["t-1", 1n]]);
  });

  it("takes up a batch that arrives while another waits for redelivery, in order (invariant 4)", async () => {
    let busy = true;
    const sink = setUpSink({
      task: {
        async put(records) {
          if (records.length > 0 && busy) throw new RetriableError("busy");
          if (records.length > 0) sink.log.push(`put ${show(records)}`);
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n, "a"));
    await eventually("the pause", () => sink.log.includes("pause t-0"));
    sink.deliver(at(1n, "b"));
    await sink.consumer.drained();
    busy = false;
    await eventually("the redelivery", () => sink.log.includes("put 0:0=a 0:1=b"));
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.get("t-0"), 2n);
  });

  it("flushes, commits and releases before it gives a partition up (invariants 2, 3; guard: acknowledge comes last in #revoked)", async () => {
    const sink = setUpSink();
    const run = runTask(sink.body);
    sink.assign(0, 1);
    sink.deliver(at(3n), at(4n, "x", 1));
    sink.revoke(false, 1);
    await sink.consumer.drained();
    assert.deepEqual(sink.acts().slice(2), ["put 0:3=v 1:4=x", "flush", "release 1", "commit t-1@5", "acknowledge"]);
    await run.runner.stop(1_000);
    assert.deepEqual(sink.acts().slice(7), ["flush", "release 0", "commit t-0@4", "close task", "close"]);
  });

  it("gives a partition up only after a put in progress has ended (invariant 3)", async () => {
    const written = Promise.withResolvers<void>();
    const sink = setUpSink({ task: { put: (records) => (records.length > 0 ? written.promise : Promise.resolve()) } });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    sink.revoke(false, 0);
    await assert.rejects(
      eventually("an acknowledgement", () => sink.log.filter((each) => each === "acknowledge").length > 1, 50),
    );
    written.resolve();
    await eventually("the revocation", () => sink.log.filter((each) => each === "acknowledge").length === 2);
    assert.equal(sink.consumer.committed.get("t-0"), 1n);
    await run.runner.stop(1_000);
  });

  it("commits nothing for lost partitions (invariant 3; guard: lost in #revoked)", async () => {
    const sink = setUpSink();
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    sink.revoke(true, 0);
    await sink.consumer.drained();
    await run.runner.stop(1_000);
    assert.deepEqual(sink.acts().slice(2), ["put 0:0=v", "lost 0", "acknowledge", "close task", "close"]);
  });

  it("commits what preCommit calls safe, at most what was put", async () => {
    const sink = setUpSink({
      flushIntervalMs: 5,
      task: {
        preCommit: async () => [
          { topic: "t", partition: 0, offset: 1n },
          { topic: "t", partition: 1, offset: 99n },
          { topic: "t", partition: 2, offset: 1n },
        ],
      },
    });
    const run = runTask(sink.body);
    sink.assign(0, 1);
    sink.deliver(at(0n), at(1n), at(0n, "b", 1));
    await eventually("the commit", () => sink.consumer.committed.size > 0);
    assert.deepEqual([...sink.consumer.committed], [["t-0", 1n]]);
    assert.ok(sink.lines.includes("warn offsets beyond what was put are ignored"));
    await run.runner.stop(1_000);
  });

  it("puts nothing when the lease ran out before (invariant 3; guard: permit in #deliver)", async () => {
    const sink = setUpSink();
    const run = runTask(sink.body);
    sink.assign(0);
    await sink.consumer.drained();
    run.loseLease();
    sink.deliver(at(0n));
    await eventually("the end", () => sink.log.includes("close"));
    assert.deepEqual(sink.acts(), ["open 0", "acknowledge", "lost 0", "close task", "close"]);
    assert.deepEqual(run.states, ["RUNNING"]);
  });

  it("commits nothing when the lease ran out after the put (invariant 3; guard: permit in #flush)", async () => {
    const sink = setUpSink();
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await sink.consumer.drained();
    run.loseLease();
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.size, 0);
  });

  it("leaves the group at once when it is killed, even in the middle of a put, and commits nothing (invariant 3)", async () => {
    const putting = Promise.withResolvers<void>();
    const sink = setUpSink({
      task: {
        put: () => {
          putting.resolve();
          return new Promise(() => {});
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await putting.promise;
    await run.runner.kill(new Error("lease lost"));
    assert.equal(sink.log.at(-1), "close");
    assert.equal(sink.consumer.committed.size, 0);
  });

  it("lets a put end within a stop's time, and commits it (invariant 6)", async () => {
    const putting = Promise.withResolvers<void>();
    const written = Promise.withResolvers<void>();
    const sink = setUpSink({
      task: {
        put: (records) => {
          if (records.length === 0) return Promise.resolve();
          putting.resolve();
          return written.promise;
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await putting.promise;
    const stopping = run.runner.stop(2_000);
    written.resolve();
    await stopping;
    assert.equal(sink.consumer.committed.get("t-0"), 1n);
  });

  it("says that it did not stop when a put never ends", async () => {
    const putting = Promise.withResolvers<void>();
    const sink = setUpSink({
      task: {
        put: () => {
          putting.resolve();
          return new Promise(() => {});
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await putting.promise;
    await assert.rejects(run.runner.stop(100), { code: "timeout" });
    assert.equal(sink.consumer.committed.size, 0);
  });

  it("pauses its partitions, commits, and resumes without a restart", async () => {
    const sink = setUpSink();
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await sink.consumer.drained();
    run.runner.setPaused(true);
    await eventually("the commit", () => sink.consumer.committed.get("t-0") === 1n);
    sink.assign(1);
    await eventually("the new partition", () => sink.log.includes("pause t-1"));
    run.runner.setPaused(false);
    await eventually("the resume", () => sink.log.includes("resume t-0 t-1"));
    await run.runner.stop(1_000);
    assert.deepEqual(run.states, ["RUNNING", "PAUSED", "RUNNING", "UNASSIGNED"]);
  });

  it("starts from the offsets that open asked for, and rewinds before the next delivery", async () => {
    const sink = setUpSink({
      task: {
        open: () => sink.context().rewind({ topic: "t", partition: 0, offset: 42n }),
      },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    await sink.consumer.drained();
    assert.deepEqual(sink.log, ["acknowledge t-0@42"]);
    sink.context().rewind({ topic: "t", partition: 0, offset: 7n });
    await eventually("the seek", () => sink.log.includes("seek t-0@7"));
    await run.runner.stop(1_000);
  });

  it("keeps partitions paused that the task paused", async () => {
    const sink = setUpSink();
    const run = runTask(sink.body);
    sink.assign(0, 1);
    await sink.consumer.drained();
    sink.context().pause([{ topic: "t", partition: 1 }]);
    run.runner.setPaused(true);
    await run.until("PAUSED");
    run.runner.setPaused(false);
    await run.until("RUNNING");
    assert.equal(sink.log.at(-1), "resume t-0");
    await run.runner.stop(1_000);
  });

  it("skips what cannot be converted under tolerance all; commits only after the dead letters are safe (guard: deadLetters.flush)", async () => {
    const safe = Promise.withResolvers<void>();
    const sink = setUpSink({
      json: true,
      policy: { ...STRICT, tolerance: "all" },
      flushIntervalMs: 5,
      deadLetters: (log) => ({
        add: async (record) => void log.push(`dead ${record.offset}`),
        flush: () => safe.promise,
      }),
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n, "1"), at(1n, "{broken"), at(2n, "3"));
    await eventually("the put", () => sink.log.includes("put 0:0=1 0:2=3"));
    assert.ok(sink.log.includes("dead 1"));
    await assert.rejects(eventually("a commit", () => sink.consumer.committed.size > 0, 50));
    safe.resolve();
    await eventually("the commit", () => sink.consumer.committed.get("t-0") === 3n);
    await run.runner.stop(1_000);
  });

  it("fails on what cannot be converted under tolerance none", async () => {
    const sink = setUpSink({ json: true });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n, "{broken"));
    await run.until("FAILED");
    const error = run.error();
    assert.ok(error instanceof Error && error.cause instanceof DataError);
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.size, 0);
  });

  it("commits where a record lies, whatever a transform made of its topic", async () => {
    const rename: TransformStep = { plugin: "rename", when: null, apply: (record) => ({ ...record, topic: "other" }) };
    const sink = setUpSink({ transforms: [rename] });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(4n));
    await sink.consumer.drained();
    await run.runner.stop(1_000);
    assert.deepEqual([...sink.consumer.committed], [["t-0", 5n]]);
  });

  it("keeps running when a commit is refused, and commits again later", async () => {
    const sink = setUpSink({ flushIntervalMs: 5 });
    let refusals = 1;
    sink.consumer.onCommit = async () => {
      if (refusals-- > 0) throw new Error("rebalance in progress");
    };
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await eventually("the commit", () => sink.consumer.committed.get("t-0") === 1n);
    assert.ok(sink.lines.includes("warn offset commit failed"));
    await run.runner.stop(1_000);
  });
});
