import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseLabelSelector, selects } from "#operator/label-selector.ts";

describe("parseLabelSelector", () => {
  const labels = { team: "shop", "example.com/tier": "gold", empty: "" };
  const table: readonly [string, boolean][] = [
    ["team=shop", true],
    ["team == shop", true],
    ["team=bank", false],
    ["team!=bank", true],
    ["team!=shop", false],
    ["other!=x", true],
    ["team in (bank, shop),example.com/tier=gold", true],
    ["team in (bank)", false],
    ["team notin (bank,post)", true],
    ["team notin (shop)", false],
    ["team", true],
    ["!team", false],
    ["other", false],
    ["! other", true],
    ["empty=", true],
    ["empty", true],
    ["team=shop, example.com/tier=silver", false],
  ];
  for (const [text, wanted] of table) {
    it(`${text}: ${wanted}`, () => {
      const selector = parseLabelSelector(text);
      assert.ok(selector !== undefined);
      assert.equal(selects(selector, labels), wanted);
    });
  }

  for (const text of [
    "",
    "a=b,",
    "a b",
    "a=b c",
    "!a=b",
    "a in b",
    "a in (b",
    "-a=b",
    "a=-b",
    "a>b",
    "a/b/c",
    "a=b=c",
  ]) {
    it(`takes "${text}" for none`, () => assert.equal(parseLabelSelector(text), undefined));
  }
});
