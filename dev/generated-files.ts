import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * Makes `dir` have the files, by their paths in it, and, if they are `all`, no others. With `--check` among the program's arguments it
 * writes nothing: standard error names what differs, and the program ends with 1.
 */
export function writeGenerated(
  dir: string,
  files: ReadonlyMap<string, string>,
  { all }: { readonly all: boolean },
): void {
  const check = process.argv.includes("--check");
  const surplus = (all ? filesIn(dir) : []).filter((path) => !files.has(path));
  const stale = [...files].filter(([path, text]) => currentText(join(dir, path)) !== text).map(([path]) => path);
  if (check) {
    if (surplus.length + stale.length === 0) return;
    const names = [...surplus, ...stale].map((path) => join(dir, path)).join(", ");
    console.error(`stale: ${names}; run \`npm run generate\` and commit the result`);
    process.exitCode = 1;
    return;
  }
  for (const path of surplus) rmSync(join(dir, path));
  for (const path of stale) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), files.get(path) ?? "");
  }
}

function filesIn(dir: string): readonly string[] {
  return orMissing(() => readdirSync(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1));
}

function orMissing<T>(read: () => readonly T[]): readonly T[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

function currentText(file: string): string | undefined {
  return orMissing(() => [readFileSync(file, "utf8")])[0];
}
