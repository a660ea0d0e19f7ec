import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { expand } from "#dev/agent/expansion.ts";

describe("expand", () => {
  const variables = { HOST: "127.1.2.3", EMPTY: "", NESTED: "$(HOST)" };
  for (const [text, expected] of [
    ["http://$(HOST):8083", "http://127.1.2.3:8083"],
    ["$(EMPTY)x", "x"],
    ["$(MISSING)", "$(MISSING)"],
    ["$$(HOST)", "$(HOST)"],
    ["$$$(HOST)", "$127.1.2.3"],
    ["$(NESTED)", "$(HOST)"],
    ["$HOST costs 5$", "$HOST costs 5$"],
    ["$(HOST", "$(HOST"],
  ] as const) {
    it(`makes "${expected}" of "${text}"`, () => assert.equal(expand(text, variables), expected));
  }
});
