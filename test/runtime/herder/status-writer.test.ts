import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { InstanceState } from "@headrace/contract";
import { createStatusWriter } from "#runtime/herder/status-writer.ts";

describe("createStatusWriter", () => {
  const cases: readonly (readonly [InstanceState, string | null, boolean])[] = [
    ["RUNNING", null, false],
    ["PAUSED", null, false],
    // A restart that was asked for (KIP-745) is unconditional, as in Java.
    ["RESTARTING", null, false],
    ["RESTARTING", "Its executor died and it is started again: killed", true],
    ["FAILED", "boom", true],
    ["UNASSIGNED", null, true],
  ];
  for (const [state, trace, safe] of cases) {
    it(`writes ${state}${trace === null ? "" : " with a trace"} ${safe ? "over nothing newer" : "unconditionally"}`, () => {
      const written: boolean[] = [];
      const writer = createStatusWriter({
        store: {
          putConnector: (_connector, _entry, options) => written.push(options.safe),
          putTask: (_id, _entry, options) => written.push(options.safe),
        },
        workerId: "a:8083",
        generation: () => 3,
        versionOf: () => null,
      });
      writer.report({ connector: "c", task: null }, { state, trace });
      writer.report({ connector: "c", task: 0 }, { state, trace });
      assert.deepEqual(written, [safe, safe]);
    });
  }
});
