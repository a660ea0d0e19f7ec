import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "../cache.ts";
import { madeOnce } from "./made-once.ts";

const run = promisify(execFile);

const SOURCE = join(repoRoot, "dev/verdaccio");
const FILES = ["package.json", "package-lock.json"] as const;

/** Path of Verdaccio's program, for Node: an npm registry over a directory. Installed into the cache by npm, as `dev/verdaccio` fixes it. */
export async function installVerdaccio(): Promise<string> {
  const hash = createHash("sha256");
  for (const name of FILES) hash.update(readFileSync(join(SOURCE, name)));
  const key = hash.digest("hex").slice(0, 12);
  const dir = await madeOnce(`verdaccio-${key}`, "install Verdaccio, an npm registry", async (partial) => {
    for (const name of FILES) copyFileSync(join(SOURCE, name), join(partial, name));
    const args = ["ci", "--ignore-scripts", "--no-fund", "--no-audit", "--loglevel=error"];
    await run("npm", args, { cwd: partial, maxBuffer: 1 << 26 });
  });
  return join(dir, "node_modules/verdaccio/bin/verdaccio");
}
