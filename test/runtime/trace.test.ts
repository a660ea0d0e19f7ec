import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatTrace } from "#runtime/trace.ts";

describe("formatTrace", () => {
  it("shows the chain of causes", () => {
    const trace = formatTrace(new Error("outer", { cause: new Error("inner") }));
    assert.match(trace, /^Error: outer\n[\s\S]*\nCaused by: Error: inner\n/);
  });
});
