import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repoRoot } from "#dev/cache.ts";

/** The tests that a text names in backquotes: `test/…` or `test/… › title`. */
export function namedTests(text: string): readonly string[] {
  return [...text.matchAll(/`(test\/[^`]+)`/g)].flatMap(([, found]) => found ?? []);
}

/** Why a named test is none, as a sentence; null if it is there. */
export function whyMissing(reference: string): string | null {
  const [file = "", title] = reference.split(" › ");
  if (!file.endsWith(".test.ts")) return `${file} is no test`;
  if (!existsSync(join(repoRoot, file))) return `${file} is not there`;
  if (title === undefined || readFileSync(join(repoRoot, file), "utf8").includes(title)) return null;
  return `${file} has no test called ${title}`;
}

/** Rows of the Markdown tables with so many columns, cell by cell; heads and rules are left out. */
export function tableRows(page: string, columns: number): readonly (readonly string[])[] {
  return page.split("\n").flatMap((line, index, lines) => {
    const cells = cellsOf(line);
    const isHead = /^\|[-|]+\|$/.test(lines[index + 1] ?? "");
    return cells.length !== columns || isHead || /^\|[-|]+\|$/.test(line) ? [] : [cells];
  });
}

function cellsOf(line: string): readonly string[] {
  const [, inner] = /^\| (.+) \|$/.exec(line) ?? [];
  return inner === undefined ? [] : inner.split(" | ").map((cell) => cell.trim());
}
