import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FileEvent } from "#dev/test/event.ts";
import { createReport } from "#dev/test/report.ts";

function reportOf(files: Record<string, { events: readonly FileEvent[]; fault?: string }>) {
  const lines: string[] = [];
  const report = createReport((text) => lines.push(text));
  for (const [file, { events, fault = null }] of Object.entries(files)) {
    const sink = report.sinkOf(file);
    for (const event of events) sink.event(event);
    report.ended({ file, durationMs: 1500, fault });
  }
  const passed = report.close(2000);
  return { passed, text: lines.join(""), table: report.table() };
}

const closing = (message: string): FileEvent => ({ kind: "diagnostic", message, closing: true });
const good = [closing("tests 3"), closing("pass 3"), closing("fail 0")];

describe("the report of a test run", () => {
  it("adds the closing lines of all files up", () => {
    const { passed, text } = reportOf({ a: { events: good }, b: { events: good } });
    assert.equal(passed, true);
    assert.match(text, /✓ a: 3 of 3 \(1\.5 s\)\n/);
    assert.match(text, /# tests 6\n# suites 0\n# pass 6\n# fail 0\n/);
  });

  it("fails if nothing was tested", () => {
    assert.equal(reportOf({}).passed, false);
  });

  it("tells a failure when it happens and again at the end", () => {
    const fail: FileEvent = { kind: "fail", name: "holds", where: "test/a.test.ts:3", text: "Error: no" };
    const { passed, text } = reportOf({ a: { events: [fail, closing("tests 1"), closing("fail 1")] } });
    assert.equal(passed, false);
    assert.equal(text.split("✗ holds (test/a.test.ts:3)\n    Error: no").length, 3);
    assert.match(text, /# tests 1\n.*# fail 1\n/s);
  });

  it("tells long failures shortened at the end, below the table", () => {
    const text = Array.from({ length: 100 }, (_, line) => `line ${line}`).join("\n");
    const fail: FileEvent = { kind: "fail", name: "holds", where: "test/a.test.ts:3", text };
    const row: FileEvent = { kind: "diagnostic", message: "table | failover | 1 s", closing: false };
    const { text: told } = reportOf({ a: { events: [row, fail, closing("tests 1"), closing("fail 1")] } });
    assert.equal(told.split("    line 99").length, 2);
    assert.match(
      told,
      /failover {2}1 s\n\n1 failed, again:\n✗ holds [^\n]*\n {4}line 0\n[^#]*… 76 more lines above\n# tests 1\n/,
    );
  });

  it("counts a file that ended without its closing lines, and what had failed in it", () => {
    const fail: FileEvent = { kind: "fail", name: "holds", where: "", text: "Error: no" };
    const { passed, text } = reportOf({ a: { events: [fail], fault: "was killed" }, b: { events: good } });
    assert.equal(passed, false);
    assert.match(text, /✗ a was killed\n/);
    assert.match(text, /# tests 5\n.*# pass 3\n# fail 2\n/s);
  });

  it("fails if a file failed as a whole though its tests passed", () => {
    assert.equal(reportOf({ a: { events: good, fault: "left processes behind: 1" } }).passed, false);
  });

  it("ends with the table that the tests told", () => {
    const row = (message: string): FileEvent => ({ kind: "diagnostic", message, closing: false });
    const { text, table } = reportOf({
      a: { events: [row("table | failover | 1 s"), row("interop | rest | 598"), ...good] },
    });
    assert.match(text, /\nfailover {2}1 s\nrest {6}598\n/);
    assert.deepEqual(table, [
      ["failover", "1 s"],
      ["rest", "598"],
    ]);
  });
});
