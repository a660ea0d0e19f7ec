import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "#dev/cache.ts";

const run = promisify(execFile);

/** Whoever commits, whatever the machine's own settings are. */
const SETTINGS = ["user.name=test", "user.email=test@example.com", "core.hooksPath=/dev/null", "commit.gpgsign=false"];

/**
 * Makes a git repository of what the work tree has, in one commit, so that nothing in it is uncommitted whatever is here. npm's packages are
 * there by hard links; `target` is a new directory on the same file system. What is built there is its own.
 */
export async function makeOwnRepository(target: string): Promise<void> {
  const list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const { stdout } = await run("git", list, { cwd: repoRoot, maxBuffer: 1 << 26 });
  const files = new Set(stdout.split("\0").filter((path) => path !== "" && existsSync(join(repoRoot, path))));
  // With their times: make compares those of manifests with what npm has installed.
  for (const file of files) await cp(join(repoRoot, file), join(target, file), { preserveTimestamps: true });
  await run("cp", ["--archive", "--link", join(repoRoot, "node_modules"), target]);
  const git = (...args: readonly string[]) =>
    run("git", [...SETTINGS.flatMap((setting) => ["-c", setting]), ...args], { cwd: target, maxBuffer: 1 << 26 });
  await git("init", "--quiet");
  await git("add", "--all");
  await git("commit", "--quiet", "--message=what the work tree has");
}
