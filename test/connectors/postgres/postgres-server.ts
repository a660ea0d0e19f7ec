import { execFile } from "node:child_process";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { freePorts } from "#dev/process.ts";
import { postgresBin } from "#dev/setup/postgres.ts";
import { openOutageProxy } from "../outage-proxy.ts";

const exec = promisify(execFile);
/** The user `nobody`: PostgreSQL does not run as root. */
const NOBODY = 65_534;

/** A real PostgreSQL of the test's own, on a free loopback port. */
export interface PostgresServer {
  readonly port: number;
  /** A new, empty database; `connection.url` of it, and a client. */
  createDatabase(): Promise<Database>;
  stop(): Promise<void>;
}

export interface Database {
  readonly client: Client;
  readonly name: string;
  /** Goes through a proxy that can be cut. */
  readonly url: string;
  /** Of the proxy, on loopback. */
  readonly proxyPort: number;
  readonly outage: { begin(): Promise<void>; end(): Promise<void> };
  close(): Promise<void>;
}

/** Starts a server; fast, and not safe against power cuts. */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = await postgresBin();
  const dir = mkdtempSync(join(tmpdir(), "headrace-postgres-"));
  const root = process.getuid?.() === 0;
  if (root) chownSync(dir, NOBODY, NOBODY);
  const as = root ? { uid: NOBODY, gid: NOBODY, cwd: dir } : { cwd: dir };
  const data = join(dir, "data");
  const [port = 0] = await freePorts(1);
  await exec(
    join(bin, "initdb"),
    ["-D", data, "-U", "headrace", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    as,
  );
  const settings = [
    `port=${port}`,
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "wal_level=logical",
    "max_connections=200",
    "max_wal_senders=100",
    "max_replication_slots=400",
  ];
  const options = settings.map((setting) => `-c ${setting}`).join(" ");
  const control = (...args: string[]) =>
    exec(join(bin, "pg_ctl"), ["-D", data, "-l", join(dir, "log"), "-w", ...args], as);
  await control("start", "-o", options.replace("unix_socket_directories=", "unix_socket_directories=''"));
  const direct = (database: string) => `postgresql://headrace@127.0.0.1:${port}/${database}`;
  const admin = new Client({ connectionString: direct("postgres") });
  await admin.connect();
  let made = 0;
  let creating: Promise<unknown> = Promise.resolve();
  return {
    port,
    async createDatabase() {
      made += 1;
      const name = `test_${made}`;
      creating = creating.then(() => admin.query(`CREATE DATABASE ${name}`));
      await creating;
      const client = new Client({ connectionString: direct(name) });
      await client.connect();
      const proxy = await openOutageProxy(port);
      return {
        client,
        name,
        proxyPort: proxy.port,
        url: `postgresql://headrace@127.0.0.1:${proxy.port}/${name}`,
        outage: proxy.outage,
        async close() {
          await client.end();
          await proxy.outage.begin();
        },
      };
    },
    async stop() {
      await admin.end();
      await control("stop", "-m", "immediate");
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
