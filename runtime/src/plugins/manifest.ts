import { readdir, readFile, stat } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { z } from "zod";
import type { PackageManifest } from "./plugin-package.ts";

/** What is read of a `package.json`. No code is run. */
const PACKAGE_FILE = z.object({
  name: z.string().min(1),
  version: z.string().min(1),
  headrace: z.string().min(1).optional(),
  main: z.string().min(1).optional(),
  exports: z.unknown().optional(),
});

/** A directory of `plugin.path` that cannot be used, or a package whose `package.json` cannot. */
export interface ManifestProblem {
  readonly directory: string;
  readonly problem: string;
}

export interface FoundPackages {
  readonly packages: readonly PackageManifest[];
  readonly problems: readonly ManifestProblem[];
}

/** Where images put plugins of their own; operators name it without knowing whether an image has any. */
const IMAGE_DIRECTORY = "/opt/headrace/plugins";

/**
 * The packages of `plugin.path`. Each entry is a package itself, or a directory of packages (those with a scope one level deeper). In a
 * directory called `node_modules` only packages with a `headrace` field count, since the others are somebody's dependencies.
 */
export async function findPackages(paths: readonly string[], signal: AbortSignal): Promise<FoundPackages> {
  const packages: PackageManifest[] = [];
  const problems: ManifestProblem[] = [];
  const take = async (directory: string, mustBeMarked: boolean) => {
    const found = await readManifest(directory, mustBeMarked);
    if (found === null) return;
    if ("problem" in found) problems.push(found);
    else if (!packages.some((each) => each.entry === found.entry)) packages.push(found);
  };
  for (const path of paths) {
    signal.throwIfAborted();
    if (!isAbsolute(path)) {
      problems.push({ directory: path, problem: "plugin.path must have absolute paths" });
      continue;
    }
    if (await isThere(join(path, "package.json"))) {
      await take(path, false);
      continue;
    }
    const mustBeMarked = basename(path) === "node_modules";
    try {
      for (const directory of await children(path)) await take(directory, mustBeMarked);
    } catch (error) {
      if (path === IMAGE_DIRECTORY && !(await isThere(path))) continue;
      problems.push({ directory: path, problem: `cannot be read: ${messageOf(error)}` });
    }
  }
  return { packages, problems };
}

async function children(path: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of (await readdir(path)).toSorted()) {
    if (name.startsWith(".")) continue;
    const directory = join(path, name);
    if (name.startsWith("@")) found.push(...(await readdir(directory)).toSorted().map((each) => join(directory, each)));
    else found.push(directory);
  }
  return found;
}

/** null: not a package of plugins. */
async function readManifest(
  directory: string,
  mustBeMarked: boolean,
): Promise<PackageManifest | ManifestProblem | null> {
  const file = join(directory, "package.json");
  if (!(await isThere(file))) return null;
  try {
    const text = await readFile(file, "utf8");
    const parsed = PACKAGE_FILE.safeParse(JSON.parse(text));
    if (!parsed.success) {
      const problem = parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("; ");
      return mustBeMarked ? null : { directory, problem: `package.json: ${problem}` };
    }
    const { name, version, headrace, main } = parsed.data;
    if (mustBeMarked && headrace === undefined) return null;
    const entry = join(directory, headrace ?? mainOf(parsed.data.exports) ?? main ?? "index.js");
    const info = await stat(entry);
    return {
      name,
      version,
      directory,
      entry,
      fingerprint: `${text.length}-${hash(text)}-${info.mtimeMs}-${info.size}`,
    };
  } catch (error) {
    return { directory, problem: `the package cannot be read: ${messageOf(error)}` };
  }
}

/** The file of `exports["."]`, where Node would look for an `import`. */
function mainOf(exports: unknown): string | undefined {
  if (typeof exports === "string") return exports;
  if (exports === null || typeof exports !== "object") return undefined;
  const record = new Map(Object.entries(exports));
  const root: unknown = record.get(".") ?? record.get("import") ?? record.get("default");
  return root === exports ? undefined : mainOf(root);
}

function hash(text: string): number {
  let value = 0;
  for (const char of text) value = (Math.imul(value, 31) + (char.codePointAt(0) ?? 0)) | 0;
  return value;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
