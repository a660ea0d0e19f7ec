import { execFile } from "node:child_process";
import { appendFileSync, chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { freePorts, startProcess, waitUntilReady } from "./process.ts";
import { postgresBin } from "./setup/postgres.ts";

const run = promisify(execFile);

const START_TIMEOUT_MS = 180_000;
/** The user `nobody`: PostgreSQL does not run as root. */
const NOBODY = 65_534;

/** A PostgreSQL server on loopback with logical decoding. Its superuser is `headrace`; it has a database `postgres`. */
export interface LocalPostgres {
  readonly port: number;
  /** Runs statements as the superuser, in the database `postgres` by default; answers what psql prints, unaligned. */
  sql(statements: string, database?: string): Promise<string>;
  stop(): Promise<void>;
}

export interface LocalPostgresOptions {
  readonly dir: string;
  readonly passwordUsers?: readonly string[];
  /** Settings of the server, beyond or in place of those that it has anyway. */
  readonly settings?: Readonly<Record<string, string>>;
  /** PEM of its certificate and key, and of the authority of its clients' certificates: it offers TLS then. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientAuthority: string };
  /** Lines of pg_hba.conf that come before all others. */
  readonly access?: readonly string[];
}

/**
 * Starts one with its data below `dir`, for root a directory below the system's for temporary files; fast, and not safe against power cuts. It ends with this process, however that ends. It trusts everybody,
 * but for the users in `passwordUsers`, who have to give the passwords that they are made with.
 */
export async function startPostgres({
  dir,
  passwordUsers = [],
  settings = {},
  tls,
  access: ownAccess = [],
}: LocalPostgresOptions): Promise<LocalPostgres> {
  const bin = await postgresBin();
  const [port = 0] = await freePorts(1);
  const root = process.getuid?.() === 0;
  const home = join(dir, "postgres");
  mkdirSync(home, { recursive: true });
  if (root) {
    // It has to get through to its own.
    for (let each = dir; each.startsWith(`${tmpdir()}/`); each = dirname(each)) chmodSync(each, 0o755);
    chownSync(home, NOBODY, NOBODY);
  }
  const data = join(home, "data");
  const initdb = ["-D", data, "-U", "headrace", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"];
  await run(join(bin, "initdb"), initdb, { cwd: home, ...(root && { uid: NOBODY, gid: NOBODY }) });
  const access = join(data, "pg_hba.conf");
  const withPassword = passwordUsers.map((user) => `host all ${user} 127.0.0.1/32 scram-sha-256\n`);
  writeFileSync(
    access,
    [...ownAccess.map((line) => `${line}\n`), ...withPassword, readFileSync(access, "utf8")].join(""),
  );
  const tlsSettings: string[] = [];
  for (const [name, pem] of Object.entries({ cert: tls?.cert, key: tls?.key, ca: tls?.clientAuthority })) {
    if (pem === undefined) continue;
    const file = join(data, `server.${name}`);
    writeFileSync(file, pem, { mode: 0o600 });
    if (root) chownSync(file, NOBODY, NOBODY);
    tlsSettings.push(`ssl_${name}_file = '${file}'`, "ssl = on");
  }
  appendFileSync(
    join(data, "postgresql.conf"),
    [
      `port = ${port}`,
      "listen_addresses = '127.0.0.1'",
      "unix_socket_directories = ''",
      "wal_level = logical",
      "fsync = off",
      "max_connections = 200",
      "max_wal_senders = 100",
      "max_replication_slots = 400",
      ...tlsSettings,
      ...Object.entries(settings).map(([name, value]) => `${name} = '${value}'`),
    ].join("\n"),
  );
  const server = await startProcess({
    name: "PostgreSQL",
    command: join(bin, "postgres"),
    args: ["-D", data],
    cwd: home,
    logFile: join(dir, "postgres.log"),
    signalAtParentsEnd: "SIGQUIT",
    ...(root && { uid: NOBODY }),
  });
  const at = ["-h", "127.0.0.1", "-p", String(port)];
  const answers = () =>
    run(join(bin, "pg_isready"), ["-q", ...at]).then(
      () => true,
      () => false,
    );
  await waitUntilReady(server, answers, { timeoutMs: START_TIMEOUT_MS, intervalMs: 50 });
  return {
    port,
    async sql(statements, database = "postgres") {
      const args = [...at, "-U", "headrace", "-d", database, "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statements];
      return (await run(join(bin, "psql"), args, { maxBuffer: 1 << 26 })).stdout.trim();
    },
    async stop() {
      server.signal("SIGQUIT");
      await server.exited;
    },
  };
}
