import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** What is built and not in git, but needed to run tests: linked. */
const BUILT = ["native/build", "native/dist"];

/**
 * Copies the working tree (what git tracks or would track, as it is now) from `root` to `to`. Packages are linked to the originals,
 * but for this repository's own, which are those of the copy.
 */
export function copyTree(root: string, to: string): void {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  for (const file of new Set(listed.split("\0"))) {
    if (file === "" || !existsSync(join(root, file))) continue;
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(root, file), join(to, file));
  }
  for (const built of BUILT) {
    if (existsSync(join(root, built))) symlinkSync(join(root, built), join(to, built));
  }
  linkPackages(join(root, "node_modules"), join(to, "node_modules"));
}

function linkPackages(from: string, to: string): void {
  mkdirSync(join(to, "@headrace"), { recursive: true });
  for (const name of readdirSync(from)) {
    if (name !== "@headrace") symlinkSync(join(from, name), join(to, name));
  }
  for (const name of readdirSync(join(from, "@headrace"))) {
    const folder = name === "worker" ? "runtime" : name;
    symlinkSync(resolve(to, "..", folder), join(to, "@headrace", name));
  }
}
