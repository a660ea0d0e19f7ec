import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "#dev/cache.ts";
import { bundleWorker, WORKER_BUNDLE } from "#dev/worker-bundle.ts";

const run = promisify(execFile);

/** Node's arguments for the worker that ships: compiled and bundled, its other packages found by their `default` exports, memory as its `bin` has it. */
export const COMPILED_WORKER: readonly string[] = ["--max-semi-space-size=4", join(repoRoot, WORKER_BUNDLE.main)];

/** Compiles the worker and the packages it imports into their `dist` folders, and bundles them. */
export async function compileWorker(): Promise<void> {
  await run(join(repoRoot, "node_modules/.bin/tsc"), ["-b", "runtime"], { cwd: repoRoot });
  await bundleWorker();
}
