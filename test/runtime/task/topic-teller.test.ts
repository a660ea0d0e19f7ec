import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTopicTeller } from "#runtime/task/topic-teller.ts";

describe("topic teller", () => {
  it("tells each topic at once, and again after a while, so that it comes back after a reset", () => {
    const told: string[] = [];
    let nowMs = 0;
    const tell = createTopicTeller(
      (topic) => told.push(topic),
      () => nowMs,
    );
    for (const topic of ["a", "b", "a", "b"]) tell(topic);
    assert.deepEqual(told, ["a", "b"]);
    nowMs = 1_999;
    tell("a");
    assert.equal(told.length, 2);
    nowMs = 2_000;
    tell("a");
    tell("a");
    assert.deepEqual(told, ["a", "b", "a"]);
  });
});
