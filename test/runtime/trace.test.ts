import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatTrace } from "#runtime/trace.ts";

describe("formatTrace", () => {
  it("shows the chain of causes", () => {
    const trace = formatTrace(new Error("outer", { cause: new Error("inner") }));
    assert.match(trace, /^Error: outer\n[\s\S]*\nCaused by: Error: inner\n/);
  });

  it("is cut where it would fill the status topic", () => {
    const trace = formatTrace(new Error("x".repeat(1_000_000)));
    assert.equal(trace.length < 17_000, true);
    assert.match(trace, /\n… 98\d{4} more characters$/);
  });
});
