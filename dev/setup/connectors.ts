import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "../cache.ts";

const run = promisify(execFile);

/**
 * Compiles packages of `connectors/` into their `dist`, as they are shipped, all of them by default; quick if they are up to date. Answers their
 * directories, for `plugin.path`.
 */
export async function buildConnectors(names?: readonly string[]): Promise<readonly string[]> {
  const wanted =
    names ?? globSync("*/package.json", { cwd: join(repoRoot, "connectors") }).map((file) => join(file, ".."));
  const directories = wanted.map((name) => join(repoRoot, "connectors", name));
  await run(join(repoRoot, "node_modules/.bin/tsc"), ["-b", ...directories], { cwd: repoRoot });
  return directories;
}
