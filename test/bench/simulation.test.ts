import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { simulateGroup } from "../../bench/simulation/simulations.ts";

const WORKERS = 10;
const TASKS = 1_000;
/** Ten tasks per connector; the connectors are work, too. */
const WORK = TASKS + TASKS / 10;

describe("a simulated group", () => {
  it("begins each piece of work once, and moves the share of one worker only", () => {
    const [started, died, joined, drained, succeeded, more] = simulateGroup(WORKERS, TASKS);
    assert.deepEqual([started?.starts, started?.moves, started?.rounds], [WORK, 0, 2]);
    const share = WORK / WORKERS;
    assert.deepEqual(
      [died?.starts, died?.moves, died?.rounds],
      [share, 0, 2],
      "others take over what the dead one had",
    );
    for (const event of [joined, drained, succeeded]) {
      assert.deepEqual([event?.starts, event?.moves, event?.rounds], [share, share, 3], event?.event);
    }
    assert.deepEqual([more?.starts, more?.moves], [WORK / 10, 0]);
  });

  it("stays below what a broker takes for a group of 100 workers and 10,000 tasks", () => {
    const [started] = simulateGroup(100, 10_000);
    assert.ok(started !== undefined && started.metadataBytes > 0);
    assert.ok(started.metadataBytes + started.assignmentBytes < 1024 * 1024, "message.max.bytes is 1 MiB by default");
  });
});
