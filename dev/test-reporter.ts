import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { repoRoot } from "./cache.ts";

/** Durations from which on a passing test is worth a line of its own. */
const SLOW_MS = 10_000;

/** What a test says with `t.diagnostic("interop | what | how much | result")` is a row of the table at the end. */
const TABLE_ROW = "interop |";

/** The counts of node:test's closing lines, in their order. */
export type Totals = Map<string, number>;

/** Whether everything passed, and something was tested at all. */
export function allPassed(totals: Totals): boolean {
  return (totals.get("tests") ?? 0) > 0 && (totals.get("fail") ?? 0) === 0 && (totals.get("cancelled") ?? 0) === 0;
}

/**
 * A short report of one or more runs: one line per file, each failure with its error, slow tests by name, and at the end node:test's closing
 * lines (`# tests`, `# pass`, `# fail`, …), added up over the runs. `totals` has the same counts afterwards.
 */
export async function* report(source: AsyncIterable<TestEvent>, totals: Totals): AsyncGenerator<string> {
  const failures: string[] = [];
  const table: string[][] = [];
  for await (const event of source) {
    switch (event.type) {
      case "test:fail": {
        const { name, file, line, details } = event.data;
        const cause: unknown = details.error.cause ?? details.error;
        if (/^\d+ subtests? failed$/.test(cause instanceof Error ? cause.message : String(cause))) break;
        const where = file === undefined ? "" : ` (${relative(repoRoot, file)}:${line ?? 0})`;
        const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
        const failure = `✗ ${name}${where}\n${text.replace(/^/gm, "    ")}\n`;
        failures.push(failure);
        yield failure;
        break;
      }
      case "test:pass": {
        const { name, details } = event.data;
        if (details.type !== "suite" && details.duration_ms >= SLOW_MS) {
          yield `  ${(details.duration_ms / 1000).toFixed(1)} s  ${name}\n`;
        }
        break;
      }
      case "test:stderr":
      case "test:stdout": {
        yield event.data.message;
        break;
      }
      case "test:summary": {
        const { file, counts, duration_ms, success } = event.data;
        if (file !== undefined) {
          const seconds = (duration_ms / 1000).toFixed(1);
          yield `${success ? "✓" : "✗"} ${relative(repoRoot, file)}: ${counts.passed} of ${counts.tests} (${seconds} s)\n`;
        }
        break;
      }
      case "test:diagnostic": {
        if (event.data.message.startsWith(TABLE_ROW))
          table.push(
            event.data.message
              .split("|")
              .slice(1)
              .map((cell) => cell.trim()),
          );
        const [, name, count] = /^(\w+) ([\d.]+)$/.exec(event.data.message) ?? [];
        if (event.data.nesting === 0 && name !== undefined) totals.set(name, (totals.get(name) ?? 0) + Number(count));
        break;
      }
      default:
        break;
    }
  }
  if (failures.length > 0) yield `\n${failures.length} failed, again:\n${failures.join("")}`;
  if (table.length > 0) yield `\n${aligned(table)}\n`;
  yield [...totals].map(([name, count]) => `# ${name} ${count}\n`).join("");
}

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
