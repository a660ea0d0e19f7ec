import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { account, describeAccount, isComplete } from "#dev/lab/account.ts";
import { changedTo, createWorkload, deletedAt } from "#dev/lab/workload.ts";

const [one, two, three, gone] = [changedTo(1), changedTo(2), changedTo(3), deletedAt(3)];
const happened = new Map([[7, [one, two, three, gone]]]);
const nothing = { steps: 4, repeated: 0, missing: 0, disordered: 0, invented: 0, stale: 0 };

describe("account", () => {
  const cases: readonly [what: string, told: readonly number[], found: Partial<typeof nothing>, complete: boolean][] = [
    ["everything once", [one, two, three, gone], {}, true],
    ["a repetition from before", [one, two, three, two, three, gone], { repeated: 2 }, true],
    ["a repetition at the end", [one, two, three, gone, three, gone], { repeated: 2 }, true],
    ["one that is missing", [one, three, gone], { steps: 3, missing: 1 }, false],
    ["two that have changed places", [two, one, three, gone], { disordered: 1 }, false],
    ["one that never happened", [one, two, changedTo(9), three, gone], { invented: 1 }, false],
    ["an old one at the end", [one, two, three, gone, three], { repeated: 1, stale: 1 }, false],
    ["nothing", [], { steps: 0, missing: 4, stale: 1 }, false],
  ];
  for (const [what, told, found, complete] of cases) {
    it(`tells of ${what}`, () => {
      const sum = account(happened, new Map([[7, told]]));
      assert.deepEqual(sum, { ...nothing, ...found });
      assert.equal(isComplete(sum), complete);
    });
  }

  it("counts items that nobody has made", () => {
    const sum = account(happened, new Map([...happened, [8, [one, two]]]));
    assert.equal(sum.invented, 2);
    assert.equal(describeAccount(sum), "4 changes, 0 told again, 2 that never happened");
  });
});

describe("the workload", () => {
  it("inserts, updates and deletes, and knows what has happened to each item", () => {
    const workload = createWorkload();
    workload.first(100);
    for (let round = 0; round < 50; round += 1) {
      const sql = workload.round();
      for (const verb of ["INSERT INTO", "UPDATE", "DELETE FROM"]) assert.match(sql, new RegExp(verb));
    }
    const all = [...workload.steps()];
    const deleted = all.filter(([, steps]) => (steps.at(-1) ?? 0) % 2 === 1);
    assert.equal(workload.steps().size, 100 + 50 * 8);
    assert.equal(workload.present().size, all.length - deleted.length);
    assert.ok(deleted.length > 150, `${deleted.length} deletions`);
    assert.ok(deleted.every(([id]) => !workload.present().has(id)));
    for (const [, steps] of all)
      assert.deepEqual(
        steps,
        steps.toSorted((left, right) => left - right),
      );
  });
});
