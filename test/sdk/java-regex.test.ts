import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { config } from "@headrace/sdk";

describe("Java's regular expressions", () => {
  const rows: readonly [string, readonly string[], readonly string[]][] = [
    ["\\Qa.b\\E", ["a.b"], ["axb"]],
    ["(?i)Orders", ["ORDERS", "orders"], ["order"]],
    ["\\p{Alpha}+", ["abc"], ["ab1", ""]],
    ["[\\p{Upper}_]+", ["A_B"], ["a"]],
    ["\\P{Digit}", ["x"], ["1"]],
    ["[a-z&&[^b]]+", ["ac"], ["ab"]],
    ["a++b", ["aab"], ["aa"]],
    ["a*+a", [], ["aaa"]],
    ["(?>a|ab)c", ["ac"], ["abc"]],
    ["[a-]", ["-", "a"], ["b"]],
    ["[(){}|/]", ["(", "}", "/"], ["a"]],
    ["t\\-1", ["t-1"], ["t1"]],
    ["(?<name>x)\\k<name>", ["xx"], ["x"]],
    ["a|b", ["a", "b"], ["ab"]],
  ];
  for (const [pattern, matching, others] of rows) {
    it(pattern, () => {
      const regex = config.fullMatch(pattern);
      for (const text of matching) assert.ok(regex.test(text), `matches ${text}`);
      for (const text of others) assert.ok(!regex.test(text), `does not match ${text}`);
    });
  }

  it("refuses what is none", () => {
    for (const pattern of ["(", "[a", "a{2,1}", "\\"])
      assert.throws(() => config.fullMatch(pattern), SyntaxError, pattern);
  });

  it("counts groups without those that stand for possessive quantifiers", () => {
    const regex = config.fullMatch("([^-]++)(?:-)(?<rest>.*)");
    const match = regex.exec("a-b");
    assert.deepEqual(
      config.groupPlaces(regex).map((place) => match?.[place]),
      ["a-b", "a", "b"],
    );
  });
});
