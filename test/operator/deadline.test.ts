import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { withDeadline } from "#operator/deadline.ts";

const hang = (signal: AbortSignal) => sleep(60_000, "late", { signal });

describe("withDeadline", () => {
  it("answers what the work answers, and leaves no listener behind", async () => {
    const outer = new AbortController();
    assert.equal(await withDeadline(60_000, async () => 7, outer.signal), 7);
    assert.equal(getEventListeners(outer.signal, "abort").length, 0);
  });

  it("aborts the work when the time is up", async () => {
    await assert.rejects(withDeadline(5, hang, new AbortController().signal), (error) => {
      assert.ok(error instanceof Error && error.cause instanceof DOMException);
      return error.cause.name === "TimeoutError";
    });
  });

  it("aborts the work with the outer signal, and does not begin after it", async () => {
    const outer = new AbortController();
    const running = withDeadline(60_000, hang, outer.signal);
    outer.abort(new Error("enough"));
    await assert.rejects(running, (error) => error instanceof Error && error.name === "AbortError");
    await assert.rejects(withDeadline(60_000, hang, outer.signal), /enough/);
  });
});
