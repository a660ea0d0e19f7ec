import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "../cache.ts";
import { withLock } from "../lock.ts";
import { installDebian } from "./debian-packages.ts";

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
    await installDebian("PostgreSQL", ["postgresql"]);
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
