import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assignEagerly } from "#runtime/group/eager-assignor.ts";

describe("assignEagerly", () => {
  it("hands out connectors in a circle of sorted members, and goes on with the tasks", () => {
    const configured = {
      offset: 1n,
      connectors: ["b", "a", "c"],
      tasks: [
        { connector: "b", task: 0 },
        { connector: "a", task: 1 },
        { connector: "a", task: 0 },
      ],
    };
    assert.deepEqual(
      assignEagerly(["m2", "m1"], configured),
      new Map([
        ["m1", { connectors: ["a", "c"], tasks: [{ connector: "a", task: 1 }] }],
        [
          "m2",
          {
            connectors: ["b"],
            tasks: [
              { connector: "a", task: 0 },
              { connector: "b", task: 0 },
            ],
          },
        ],
      ]),
    );
  });

  it("gives everybody nothing when nothing is configured", () => {
    assert.deepEqual(
      assignEagerly(["m1"], { offset: -1n, connectors: [], tasks: [] }),
      new Map([["m1", { connectors: [], tasks: [] }]]),
    );
  });
});
