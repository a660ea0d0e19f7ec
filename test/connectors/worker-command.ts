import { join } from "node:path";
import { repoRoot } from "#dev/cache.ts";

/** The command that starts a worker from the sources. */
export const WORKER_COMMAND = [process.execPath, "--conditions=source", join(repoRoot, "runtime/src/main.ts")];
