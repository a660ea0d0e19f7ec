import type { FileEvent } from "./event.ts";
import type { FileEnd, FileSink } from "./file.ts";

/** Durations from which on a passing test is worth a line of its own. */
const SLOW_MS = 10_000;

/** What a test says with `t.diagnostic("table | what | how much | result")` is a row of the table at the end. */
const TABLE_ROW = /^(?:interop|table) \|/;

/** How much of each failure is printed once more at the end. */
const AGAIN_LINES = 25;

/** The counts of node:test's closing lines, in their order. */
const COUNTS = ["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo"] as const;

/** A short report of a run: failures as they happen, slow tests by name, one line per file, and node:test's closing lines at the end. */
export interface Report {
  /** Where the events of one file go. */
  sinkOf(file: string): FileSink;
  ended(end: FileEnd): void;
  /** The rows that tests have told so far. */
  table(): readonly (readonly string[])[];
  /** Prints the table, the failures once more, shortened, and the closing lines. True if something was tested and everything passed. */
  close(durationMs: number): boolean;
}

export function createReport(print: (text: string) => void): Report {
  const totals = new Map<string, number>(COUNTS.map((name) => [name, 0]));
  const ofFile = new Map<string, { tests: number; passed: number; failed: number }>();
  /** Of files that ended without closing lines, too. */
  const failedIn = new Map<string, number>();
  const failures: string[] = [];
  const table: string[][] = [];

  function add(name: string, count: number): void {
    totals.set(name, (totals.get(name) ?? 0) + count);
  }

  function fail(text: string): void {
    failures.push(text);
    print(text);
  }

  function take(file: string, event: FileEvent): void {
    switch (event.kind) {
      case "fail":
        failedIn.set(file, (failedIn.get(file) ?? 0) + 1);
        fail(`✗ ${event.name} (${event.where === "" ? file : event.where})\n${event.text.replace(/^/gm, "    ")}\n`);
        break;
      case "pass":
        if (!event.suite && event.durationMs >= SLOW_MS) print(`  ${inSeconds(event.durationMs)}  ${event.name}\n`);
        break;
      case "diagnostic": {
        if (TABLE_ROW.test(event.message)) {
          const [, ...cells] = event.message.split("|");
          table.push(cells.map((cell) => cell.trim()));
        }
        if (!event.closing) break;
        const [name = "", count = ""] = event.message.split(" ");
        if (!totals.has(name)) break;
        add(name, Number(count));
        const counts = ofFile.get(file) ?? { tests: 0, passed: 0, failed: 0 };
        if (name === "tests") counts.tests = Number(count);
        if (name === "pass") counts.passed = Number(count);
        if (name === "fail" || name === "cancelled") counts.failed += Number(count);
        ofFile.set(file, counts);
        break;
      }
      default:
        throw new Error(`unreachable: ${event satisfies never}`);
    }
  }

  return {
    sinkOf: (file) => ({ event: (event) => take(file, event), output: print }),
    ended({ file, durationMs, fault }) {
      const { tests, passed, failed } = ofFile.get(file) ?? { tests: 0, passed: 0, failed: 0 };
      if (fault !== null) {
        const untold = tests === 0 ? (failedIn.get(file) ?? 0) : 0;
        add("tests", 1 + untold);
        add("fail", 1 + untold);
        fail(`✗ ${file} ${fault}\n`);
      }
      const good = fault === null && failed === 0;
      print(`${good ? "✓" : "✗"} ${file}: ${passed} of ${tests} (${inSeconds(durationMs)})\n`);
    },
    table: () => table,
    close(durationMs) {
      if (table.length > 0) print(`\n${aligned(table)}\n`);
      // Last, for those who see only the end of a long output.
      if (failures.length > 0) print(`\n${failures.length} failed, again:\n${failures.map(shortened).join("")}`);
      for (const [name, count] of totals) print(`# ${name} ${count}\n`);
      print(`# duration_ms ${durationMs.toFixed(0)}\n`);
      return (totals.get("tests") ?? 0) > 0 && failures.length === 0 && (totals.get("cancelled") ?? 0) === 0;
    },
  };
}

/** A failure's first lines, which say what was expected. */
function shortened(failure: string): string {
  const lines = failure.trimEnd().split("\n");
  if (lines.length <= AGAIN_LINES) return failure;
  return `${lines.slice(0, AGAIN_LINES).join("\n")}\n    … ${lines.length - AGAIN_LINES} more lines above\n`;
}

const inSeconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** Columns of equal width, one line per row. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, index) => Math.max(cell.length, widest[index] ?? 0)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
