import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root, with no slash at the end. */
export const repoRoot = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Where downloads and builds are kept between runs: `HEADRACE_CACHE`, or `~/.cache/headrace`. */
export function cacheDir(): string {
  return process.env["HEADRACE_CACHE"] ?? join(homedir(), ".cache", "headrace");
}
