import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { choose, groupOf, LONG } from "#dev/test/choice.ts";

describe("the choice of test files", () => {
  it("knows only long files that are there", () => {
    const there = globSync("test/**/*.test.ts", { cwd: repoRoot });
    assert.deepEqual(
      LONG.filter((file) => !there.includes(file)),
      [],
    );
  });

  const files = [
    "test/runtime/a.test.ts",
    "test/interop/b.integration.test.ts",
    "test/dev/demo/demo.integration.test.ts",
    "test/integration/c.integration.test.ts",
    "test/scale/d.integration.test.ts",
  ];

  it("takes a file's group from its folder", () => {
    assert.deepEqual(files.map(groupOf), ["test", "interop", "test", "test", "scale"]);
  });

  it("starts long files first and unit tests last", () => {
    assert.deepEqual(choose(files, { group: "test", words: [], unitOnly: false }), [
      "test/dev/demo/demo.integration.test.ts",
      "test/integration/c.integration.test.ts",
      "test/runtime/a.test.ts",
    ]);
  });

  it("takes every group's files if words are given", () => {
    assert.deepEqual(choose(files, { group: "test", words: ["interop", "runtime"], unitOnly: false }), [
      "test/interop/b.integration.test.ts",
      "test/runtime/a.test.ts",
    ]);
  });

  it("leaves out what needs servers", () => {
    assert.deepEqual(choose(files, { group: "test", words: [], unitOnly: true }), ["test/runtime/a.test.ts"]);
  });
});
