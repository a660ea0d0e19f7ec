import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { mutate } from "#dev/mutants/mutant.ts";
import { failedTitles } from "#dev/mutants/run-tests.ts";
import { MUTANTS } from "#dev/mutants/table.ts";

describe("mutants", () => {
  for (const mutant of MUTANTS) {
    it(`invariant ${mutant.invariant}, ${mutant.file}: ${mutant.guard}`, () => {
      assert.notEqual(mutant.find, mutant.replace);
      assert.doesNotThrow(() => mutate(mutant, repoRoot));
      for (const file of mutant.tests) assert.ok(existsSync(join(repoRoot, file)), `${file} is not there`);
    });
  }

  it("are there for every invariant", () => {
    assert.deepEqual([...new Set(MUTANTS.map(({ invariant }) => invariant))], [1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("whose text is not in the file exactly once are refused", () => {
    const [first] = MUTANTS;
    assert.ok(first);
    assert.throws(() => mutate({ ...first, find: "no such text" }, repoRoot), /contains this 0 times/);
    assert.throws(() => mutate({ ...first, find: "entry" }, repoRoot), /contains this \d+ times/);
    assert.throws(() => mutate({ ...first, replace: "if (" }, repoRoot), /is no TypeScript/);
  });
});

it("failedTitles gives tests, without the suites and files that hold them", () => {
  const tap = [
    "    not ok 1 - first",
    "    ok 2 - second",
    "not ok 1 - suite",
    "    not ok 1 - third \\#x",
    "not ok 2 - other suite",
    "not ok 3 - alone",
    "not ok 4 - test/a.test.ts",
  ].join("\n");
  assert.deepEqual(failedTitles(tap, ["test/a.test.ts"]), ["first", "third #x", "alone"]);
});
