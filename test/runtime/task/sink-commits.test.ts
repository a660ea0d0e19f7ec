import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { eventually } from "#support/eventually.ts";
import { at, setUpSink } from "#support/sink-run.ts";
import { endTasks, runTask } from "#support/task-run.ts";

describe("offset commits of a sink", () => {
  afterEach(endTasks);

  it("do not keep the next batch waiting for Kafka's answer, and are one at a time", async () => {
    const sink = setUpSink({ flushIntervalMs: 1 });
    const answers: PromiseWithResolvers<void>[] = [];
    sink.consumer.onCommit = () => {
      const answer = Promise.withResolvers<void>();
      answers.push(answer);
      return answer.promise;
    };
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n, "a"));
    await eventually("the commit", () => answers.length === 1);
    sink.deliver(at(1n, "b"));
    await eventually("the second put", () => sink.log.includes("put 0:1=b"));
    assert.equal(answers.length, 1);
    answers[0]?.resolve();
    await eventually("the second commit", () => answers.length === 2);
    answers[1]?.resolve();
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.get("t-0"), 2n);
  });

  it("that get no answer in time count as failed and are followed by others; a late answer is not believed", async () => {
    const sink = setUpSink({ flushIntervalMs: 1, flushTimeoutMs: 30 });
    const first = Promise.withResolvers<void>();
    let commits = 0;
    sink.consumer.onCommit = () => {
      commits += 1;
      return commits === 1 ? first.promise : Promise.resolve();
    };
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n, "a"));
    await eventually("the second commit", () => commits === 2);
    assert.ok(sink.lines.includes("warn offset commit timed out"));
    first.resolve();
    await eventually("the late answer", () => run.runner.metrics()["offset-commit-skip-total"] === 1);
    assert.ok((run.runner.metrics()["offset-commit-failure-percentage"] ?? 0) > 0);
    await run.runner.stop(1_000);
  });

  it("of partitions that go away wait for the one in flight, so that no older offset comes last", async () => {
    const sink = setUpSink({ flushIntervalMs: 20 });
    const first = Promise.withResolvers<void>();
    let commits = 0;
    sink.consumer.onCommit = () => {
      commits += 1;
      return commits === 1 ? first.promise : Promise.resolve();
    };
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n, "a"));
    await eventually("the commit", () => commits === 1);
    sink.deliver(at(1n, "b"));
    sink.revoke(false, 0);
    await eventually("the second put", () => sink.log.includes("put 0:1=b"));
    assert.equal(sink.log.includes("release 0"), false);
    first.resolve();
    await eventually("the end", () => sink.log.filter((each) => each === "acknowledge").length === 2);
    assert.deepEqual(sink.log.slice(-4), ["flush", "release 0", "commit t-0@2", "acknowledge"]);
    await run.runner.stop(1_000);
  });

  it("are made with the partitions that go away only", async () => {
    const asked: string[] = [];
    const sink = setUpSink({
      task: {
        preCommit: async (offsets) => {
          asked.push(offsets.map((each) => `${each.partition}@${each.offset}`).join(" "));
          return offsets;
        },
      },
    });
    const run = runTask(sink.body);
    sink.assign(0, 1);
    sink.deliver(at(0n, "a"), at(0n, "b", 1));
    sink.revoke(false, 1);
    await eventually("the release", () => sink.log.includes("release 1"));
    assert.deepEqual(asked, ["1@1"]);
    await run.runner.stop(1_000);
    assert.deepEqual(asked, ["1@1", "0@1"]);
  });

  it("follow the partitions of eager and of cooperative assignors: open and release get what changes", async () => {
    const sink = setUpSink();
    const run = runTask(sink.body);
    sink.assign(0, 1, 2, 3);
    sink.revoke(false, 0, 1, 2, 3); // eager: everything goes
    sink.assign(0, 1);
    sink.revoke(false, 1); // cooperative: only the difference
    sink.assign(4);
    await sink.consumer.drained();
    const calls = sink.log.filter((each) => /^(open|release)/.test(each));
    assert.deepEqual(calls, ["open 0,1,2,3", "release 0,1,2,3", "open 0,1", "release 1", "open 4"]);
    assert.deepEqual(
      sink
        .context()
        .assignment()
        .map((each) => each.partition),
      [0, 4],
    );
    await run.runner.stop(1_000);
    assert.ok(sink.log.includes("release 0,4"));
  });

  it("happen although nothing new was put, so that a sink may use them as its clock", async () => {
    const sink = setUpSink({ flushIntervalMs: 5 });
    const run = runTask(sink.body);
    sink.assign(0);
    await eventually("flushes", () => sink.log.filter((each) => each === "flush").length > 2);
    assert.equal(sink.consumer.committed.size, 0);
    await run.runner.stop(1_000);
  });

  it("skip this time what preCommit leaves out", async () => {
    let durable = false;
    const sink = setUpSink({
      flushIntervalMs: 5,
      task: { preCommit: async (offsets) => (durable ? offsets : []) },
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await eventually("skipped commits", () => (run.runner.metrics()["offset-commit-completion-total"] ?? 0) > 1);
    assert.equal(sink.consumer.committed.size, 0);
    durable = true;
    await eventually("the commit", () => sink.consumer.committed.get("t-0") === 1n);
    await run.runner.stop(1_000);
  });

  it("are not made, and the task fails, when Kafka refuses a dead letter (invariant 2)", async () => {
    const sink = setUpSink({
      flushIntervalMs: 5,
      deadLetters: () => ({ flush: () => Promise.reject(new Error("refused")) }),
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await run.until("FAILED");
    await run.runner.stop(1_000);
    assert.equal(sink.consumer.committed.size, 0);
  });

  it("wait for dead letters that are not in Kafka yet, without delivering anything again", async () => {
    let late = true;
    const sink = setUpSink({
      flushIntervalMs: 5,
      flushTimeoutMs: 20,
      deadLetters: () => ({
        async flush(signal) {
          if (!late) return;
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        },
      }),
    });
    const run = runTask(sink.body);
    sink.assign(0);
    sink.deliver(at(0n));
    await eventually("the warning", () =>
      sink.lines.includes("warn dead letters are not in Kafka yet, offsets are not committed"),
    );
    assert.equal(sink.consumer.committed.size, 0);
    late = false;
    await eventually("the commit", () => sink.consumer.committed.get("t-0") === 1n);
    assert.equal(
      sink.log.some((each) => each.startsWith("seek")),
      false,
    );
    await run.runner.stop(1_000);
  });

  it("leave nothing in the consumer group when the consumer cannot leave it itself", async () => {
    const sink = setUpSink();
    const close = sink.consumer.close;
    sink.consumer.close = async (signal) => {
      await close(signal);
      throw new Error("the group rebalances");
    };
    const run = runTask(sink.body);
    sink.assign(0);
    await eventually("the assignment", () => sink.log.includes("open 0"));
    await run.runner.stop(1_000);
    assert.deepEqual(sink.log.slice(-2), ["close", "remove member"]);
  });
});
