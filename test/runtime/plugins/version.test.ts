import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareVersions, parseVersionRange } from "#runtime/plugins/version.ts";

describe("versions of plugins", () => {
  const ordered = [
    "-0.5",
    "1.0-a1",
    "1.0-alpha2",
    "1.0-beta",
    "1.0-rc1",
    "1.0-SNAPSHOT",
    "1.0",
    "1.0-sp",
    "1.0.1",
    "1.2",
    "1.10",
    "2",
  ];
  for (const [index, version] of ordered.slice(1).entries()) {
    const before = ordered[index] ?? "";
    it(`${before} is older than ${version}`, () => {
      assert.ok(compareVersions(before, version) < 0);
      assert.ok(compareVersions(version, before) > 0);
    });
  }

  it("takes a letter for a word only right before a number", () => {
    assert.ok(compareVersions("1.0-a", "1.0") > 0);
    assert.ok(compareVersions("1.0-a1", "1.0") < 0);
    assert.ok(compareVersions("a", ",b") > 0);
  });

  it("takes missing numbers as 0", () => assert.equal(compareVersions("1", "1.0.0"), 0));

  const ranges: readonly [string, string, readonly string[], readonly string[]][] = [
    ["1.2", "[1.2,1.2]", ["1.2", "1.2.0"], ["1.2.1", "1.1"]],
    ["[1.2]", "[1.2,1.2]", ["1.2"], ["1.3"]],
    ["[1.0,2.0)", "[1.0,2.0)", ["1.0", "1.9.9"], ["2.0", "0.9"]],
    ["(,5)", "(,5)", ["4.3.1"], ["5"]],
    ["[4.3.1-rc1,)", "[4.3.1-rc1,)", ["4.3.1"], ["4.3.0"]],
    ["[1,2],[3,5]", "[1,2],[3,5]", ["1.5", "4"], ["2.5", "6"]],
    ["", "[,]", [], ["1.0", "4.3.1"]],
  ];
  for (const [given, text, inside, outside] of ranges) {
    it(`'${given}' is ${text}`, () => {
      const range = parseVersionRange(given);
      assert.equal(range?.text, text);
      assert.deepEqual(
        [...inside, ...outside].filter((version) => range?.includes(version)),
        inside,
      );
    });
  }

  it("wants the latest if nothing is asked for", () => {
    assert.equal(parseVersionRange(undefined), null);
    assert.equal(parseVersionRange("latest"), null);
  });

  for (const [given, message] of [
    ["[1,2", "Unbounded range: [1,2"],
    ["[5,4]", "Range defies version ordering: [5,4]"],
    ["[1,1)", "Range defies version ordering: [1,1)"],
    ["(1)", "Single version must be surrounded by []: (1)"],
    ["[3,5],[1,2]", "Ranges overlap: [3,5],[1,2]"],
  ] as const) {
    it(`refuses ${given}`, () => assert.throws(() => parseVersionRange(given), { name: "ConfigError", message }));
  }
});
