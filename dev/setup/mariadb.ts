import { existsSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "../cache.ts";
import { withLock } from "../lock.ts";
import { installDebian } from "./debian-packages.ts";

/** Where MariaDB's server is. */
export interface MariadbFiles {
  /** The program. */
  readonly server: string;
  /** The directory with the SQL that makes the system's tables, and with messages. */
  readonly share: string;
}

/**
 * MariaDB's server: `mariadbd` in the directory `MARIADB_BIN`, or Debian's, which is installed where this may be done (root with apt-get): the
 * program only, no service. Throws a sentence that says what to install.
 */
export async function mariadbFiles(): Promise<MariadbFiles> {
  const given = process.env["MARIADB_BIN"];
  if (given !== undefined && given !== "") {
    const found = filesIn(given);
    if (found === null) throw new Error(`MARIADB_BIN=${given} has no mariadbd with its share directory beside it`);
    return found;
  }
  return await withLock(join(cacheDir(), "mariadb"), async () => {
    const found = filesIn("/usr/sbin");
    if (found !== null) return found;
    await installDebian("MariaDB", ["mariadb-server-core"]);
    const now = filesIn("/usr/sbin");
    if (now === null) throw new Error("MariaDB was installed, but /usr/sbin has no mariadbd");
    return now;
  });
}

function filesIn(directory: string): MariadbFiles | null {
  const server = join(directory, "mariadbd");
  const shares = ["../share", "../share/mysql", "../share/mariadb"].map((path) => join(directory, path));
  const share = shares.find((path) => existsSync(join(path, "mysql_system_tables.sql")));
  return existsSync(server) && share !== undefined ? { server, share } : null;
}
