import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { NotReady } from "@headrace/sdk";
import { ErrorHandler } from "#runtime/task/error-handler.ts";
import type { Fault } from "#runtime/task/record-pipeline.ts";
import { createLogRecorder } from "#support/task-run.ts";

describe("the errors policy of a task", () => {
  it("leaves a turn to others while a converter says over and over that it is not ready, and can be given up", async () => {
    const handler = new ErrorHandler({
      label: "c-0",
      policy: { tolerance: "none", retryTimeoutMs: 0, retryDelayMaxMs: 1, logEnable: false, logIncludeMessages: false },
      log: createLogRecorder(),
      now: () => performance.now(),
      random: () => 0.5,
    });
    let tries = 0;
    const run = (): Fault => {
      tries += 1;
      if (tries > 100_000) throw new Error("nobody else gets a turn");
      return { index: 0, stage: "VALUE_CONVERTER", plugin: "eager", error: new NotReady(Promise.resolve()) };
    };
    const giving = new AbortController();
    const guarding = assert.rejects(handler.guard({ run, describe: () => "" }, giving.signal), /given up/);
    await nextTurn();
    giving.abort(new Error("given up"));
    await guarding;
    assert.ok(tries > 0);
    assert.equal(handler.metrics()["total-record-failures"], 0);
  });
});
