import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { maxTasks, tooManyTasks } from "#runtime/task-limit.ts";

describe("tasks.max", () => {
  it("is 1 unless it is a positive whole number", () => {
    for (const [text, wanted] of [
      ["3", 3],
      ["0", 1],
      ["x", 1],
      ["1.5", 1],
    ] as const) {
      assert.equal(maxTasks({ "tasks.max": text }), wanted);
    }
    assert.equal(maxTasks({}), 1);
  });
  it("is enforced unless that is switched off", () => {
    assert.match(
      tooManyTasks("c", { "tasks.max": "1" }, 2) ?? "",
      /^The connector c has generated 2 tasks, which is greater than 1/,
    );
    assert.equal(tooManyTasks("c", { "tasks.max": "2" }, 2), null);
    assert.equal(tooManyTasks("c", { "tasks.max.enforce": "false" }, 2), null);
  });
});
