import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, chownSync, closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePorts } from "./process.ts";
import { postgresBin } from "./setup/postgres.ts";

const run = promisify(execFile);

const START_TIMEOUT_MS = 180_000;

/** A PostgreSQL server on loopback that trusts everybody, with logical decoding. */
export interface LocalPostgres {
  readonly port: number;
  /** Runs statements as `postgres` in its database; answers what psql prints, unaligned. */
  sql(statements: string): Promise<string>;
  stop(): Promise<void>;
}

/** Starts one with its data below `dir`. It refuses to run as root: then it runs as the user `postgres`. */
export async function startPostgres({ dir }: { readonly dir: string }): Promise<LocalPostgres> {
  const bin = await postgresBin();
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error("no free port");
  const owner = process.getuid?.() === 0 ? await idsOf("postgres") : null;
  const home = join(dir, "postgres");
  mkdirSync(home, { recursive: true });
  if (owner !== null) chownSync(home, owner.uid, owner.gid);
  const data = join(home, "data");
  const options = { ...(owner ?? {}), cwd: home };
  const initdb = ["-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"];
  await run(join(bin, "initdb"), initdb, options);
  appendFileSync(
    join(data, "postgresql.conf"),
    [
      `port = ${port}`,
      "listen_addresses = '127.0.0.1'",
      "unix_socket_directories = ''",
      "wal_level = logical",
      "fsync = off",
    ].join("\n"),
  );
  const log = openSync(join(home, "log"), "a");
  const server = spawn(join(bin, "postgres"), ["-D", data], { ...options, stdio: ["ignore", log, log] });
  closeSync(log);
  const ended = once(server, "exit");
  const answers = () =>
    run(join(bin, "pg_isready"), ["-q", "-h", "127.0.0.1", "-p", String(port)]).then(
      () => true,
      () => false,
    );
  for (const deadline = performance.now() + START_TIMEOUT_MS; !(await answers()); await sleep(50)) {
    if (performance.now() < deadline && server.exitCode === null) continue;
    server.kill("SIGKILL");
    throw new Error(`PostgreSQL did not start:\n${readFileSync(join(home, "log"), "utf8")}`);
  }
  return {
    port,
    async sql(statements) {
      const args = [
        "-h",
        "127.0.0.1",
        "-p",
        String(port),
        "-U",
        "postgres",
        "-qAt",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        statements,
      ];
      return (await run(join(bin, "psql"), args, { maxBuffer: 1 << 26 })).stdout.trim();
    },
    async stop() {
      server.kill("SIGQUIT");
      await ended;
    },
  };
}

async function idsOf(user: string): Promise<{ readonly uid: number; readonly gid: number }> {
  const id = async (flag: string) => Number((await run("id", [flag, user])).stdout);
  return { uid: await id("-u"), gid: await id("-g") };
}
