import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import type { SinkTask } from "@headrace/sdk";
import { eventually } from "#support/eventually.ts";
import { at, setUpSink } from "#support/sink-run.ts";
import { endTasks, runTask } from "#support/task-run.ts";

const never = () => new Promise<never>(() => {});

/** The methods of a sink's task, each of which hangs; `close` and `release` are reached only by a stop. */
const METHODS = [
  "open",
  "put",
  "flush",
  "preCommit",
  "release",
  "close",
] as const satisfies readonly (keyof SinkTask)[];

describe("BlockingConnectorTest: a sink task with a method that never ends", () => {
  afterEach(endTasks);

  for (const method of METHODS) {
    it(`in ${method} holds up no other, and its stop fails in time, so that its process is ended`, async () => {
      const entered = Promise.withResolvers<void>();
      const hang = () => {
        entered.resolve();
        return never();
      };
      const stuck = setUpSink({ flushIntervalMs: 5, task: { [method]: hang } });
      const other = setUpSink({ flushIntervalMs: 5 });
      const [stuckRun, otherRun] = [runTask(stuck.body), runTask(other.body)];
      stuck.assign(0);
      stuck.deliver(at(0n));
      if (method !== "release" && method !== "close") await entered.promise;
      other.assign(0);
      other.deliver(at(0n));
      await eventually("the other's commit", () => other.consumer.committed.get("t-0") === 1n);
      await assert.rejects(stuckRun.runner.stop(200), { code: "timeout" });
      await otherRun.runner.stop(1_000);
      assert.deepEqual(otherRun.states, ["RUNNING", "UNASSIGNED"]);
      await eventually("the stuck one has left its group", () => stuck.log.at(-1) === "close");
    });
  }
});
