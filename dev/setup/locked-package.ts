import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { extract } from "tar";
import { z } from "zod";
import { cacheDir, repoRoot } from "../cache.ts";

const run = promisify(execFile);
const Lock = z.object({
  packages: z.record(z.string(), z.looseObject({ version: z.string().optional(), integrity: z.string().optional() })),
});

/**
 * The directory of a package as package-lock.json fixes it, though npm does not install it here, since it is for another architecture.
 * Fetched into the cache once, by npm; throws if its content is not what the lock says.
 */
export async function lockedPackage(name: string): Promise<string> {
  const lock = Lock.parse(JSON.parse(readFileSync(join(repoRoot, "package-lock.json"), "utf8")));
  const { version, integrity } = lock.packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined) throw new Error(`package-lock.json does not fix ${name}`);
  const target = join(cacheDir(), "npm", `${name}-${version}`);
  if (existsSync(target)) return target;
  await mkdir(dirname(target), { recursive: true });
  const scratch = await mkdtemp(`${target}.`);
  try {
    await run("npm", ["pack", `${name}@${version}`, "--silent", `--pack-destination=${scratch}`], { cwd: scratch });
    const [archive = ""] = await readdir(scratch);
    const [algorithm = "", expected] = integrity.split(/-(.*)/s);
    const found = createHash(algorithm)
      .update(await readFile(join(scratch, archive)))
      .digest("base64");
    if (found !== expected) throw new Error(`${name} ${version} is not what package-lock.json fixes: ${found}`);
    await extract({ file: join(scratch, archive), cwd: scratch });
    // Another process may have been faster; its copy is the same.
    await rename(join(scratch, "package"), target).catch((error: unknown) => {
      if (!existsSync(target)) throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return target;
}
