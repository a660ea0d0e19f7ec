import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Place, place, unitOf } from "#runtime/executor/placement.ts";
import { createQuarantine } from "#runtime/executor/quarantine.ts";

const shared = (id: number, tasks: number, connectors = 0): Place => ({ id, unit: null, tasks, connectors });

describe("place", () => {
  for (const [fact, places, isTask, maxShared, wanted] of [
    ["nothing is there", [], true, 2, null],
    ["an empty one is there", [shared(1, 0)], true, 2, 1],
    ["all work and another one is allowed", [shared(1, 1)], true, 2, null],
    ["all work and no more are allowed", [shared(1, 3), shared(2, 2)], true, 2, 2],
    ["an instance needs no new one", [shared(1, 5)], false, 2, 1],
    ["an instance goes where least runs", [shared(1, 1), shared(2, 0, 3)], false, 2, 2],
    ["equally loaded ones", [shared(2, 1, 1), shared(1, 1, 1)], true, 2, 1],
    ["confined ones do not count", [{ id: 1, unit: "x", tasks: 0, connectors: 0 }], true, 1, null],
  ] as const) {
    it(`${fact} → ${wanted ?? "a new one"}`, () =>
      assert.equal(place({ places, unit: null, isTask, maxShared }), wanted));
  }

  it("keeps a unit together, beyond the limit of shared ones", () => {
    const places = [shared(1, 0), { id: 2, unit: "x", tasks: 9, connectors: 1 }];
    assert.equal(place({ places, unit: "x", isTask: true, maxShared: 1 }), 2);
    assert.equal(place({ places, unit: "y", isTask: true, maxShared: 1 }), null);
  });
});

describe("unitOf", () => {
  it("follows the isolation mode", () => {
    assert.equal(unitOf("shared", "c", 0), null);
    assert.equal(unitOf("connector", "c", 0), unitOf("connector", "c", null));
    assert.notEqual(unitOf("task", "c", 0), unitOf("task", "c", 1));
  });
});

describe("quarantine", () => {
  it("gives each suspect a unit of its own", () => {
    const quarantine = createQuarantine();
    quarantine.crashed(["a", "b"], 0);
    assert.notEqual(quarantine.unit("a", 1), quarantine.unit("b", 1));
    assert.equal(quarantine.unit("c", 1), null);
  });
  it("puts many suspects into few circles", () => {
    const quarantine = createQuarantine();
    const names = Array.from({ length: 100 }, (_, index) => `c${index}`);
    quarantine.crashed(names, 0);
    assert.equal(new Set(names.map((name) => quarantine.unit(name, 1))).size, 8);
  });
  it("releases who goes on well, but not who crashed alone", () => {
    const quarantine = createQuarantine();
    quarantine.crashed(["a", "b"], 0);
    quarantine.crashed(["a"], 1_000);
    assert.equal(quarantine.unit("b", 301_000), null);
    assert.notEqual(quarantine.unit("a", 301_001), null);
    quarantine.forget("a");
    assert.equal(quarantine.unit("a", 301_001), null);
  });
});
