import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "#dev/cache.ts";

/** Builds a connector's package as it is shipped, and gives its directory, for `plugin.path`. */
export async function builtPackage(name: string): Promise<string> {
  const directory = join(repoRoot, "connectors", name);
  await promisify(execFile)(join(repoRoot, "node_modules/.bin/tsc"), ["-b", directory], { cwd: repoRoot });
  return directory;
}

/** The command that starts a worker from the sources. */
export const WORKER_COMMAND = [process.execPath, "--conditions=source", join(repoRoot, "runtime/src/main.ts")];
