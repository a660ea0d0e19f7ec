import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repoRoot } from "../cache.ts";

/** The lines of a public data set: all US zip codes, as npm's vega-datasets ships them. All lines differ. */
export function zipcodes(): readonly string[] {
  return linesOf(join(repoRoot, "node_modules/vega-datasets/data/zipcodes.csv"));
}

/** The complete lines of a file; none if it does not exist. */
export function linesOf(file: string): readonly string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").split("\n").slice(0, -1);
}

/** SHA-256 over the distinct lines in sorted order: equal for equal sets. */
export function hashOfSet(lines: Iterable<string>): string {
  const hash = createHash("sha256");
  for (const line of [...new Set(lines)].sort()) hash.update(`${line}\n`);
  return hash.digest("hex");
}
