import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir } from "../cache.ts";
import { withLock } from "../lock.ts";
import { step } from "../progress.ts";

const run = promisify(execFile);

/** Debian's place, one directory per major version. */
const DEBIAN = "/usr/lib/postgresql";

/**
 * The directory with PostgreSQL's programs: that of `POSTGRES_BIN`, or Debian's newest, which is installed where this may be done (root with
 * apt-get). Throws a sentence that says what to install.
 */
export async function postgresBin(): Promise<string> {
  const given = process.env["POSTGRES_BIN"];
  if (given !== undefined && given !== "") return given;
  return await withLock(join(cacheDir(), "postgres"), async () => {
    const found = installed();
    if (found !== null) return found;
    if (process.getuid?.() !== 0) throw new Error("PostgreSQL is not here: install it (apt-get install postgresql)");
    await step("install PostgreSQL", async () => {
      const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
      await run("apt-get", ["update", "-qq"], { env, maxBuffer: 1 << 26 });
      const packages = ["install", "-y", "-qq", "--no-install-recommends", "postgresql"];
      await run("apt-get", packages, { env, maxBuffer: 1 << 26 });
    });
    const now = installed();
    if (now === null) throw new Error(`PostgreSQL was installed, but ${DEBIAN} has no bin/initdb`);
    return now;
  });
}

function installed(): string | null {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const directories = versions.map((version) => join(DEBIAN, version, "bin"));
  return directories.find((directory) => existsSync(join(directory, "initdb"))) ?? null;
}
