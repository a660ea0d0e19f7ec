import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createConnection } from "mysql2/promise";
import { freePorts, logTail, startProcess, waitUntilReady } from "./process.ts";
import { type MariadbFiles, mariadbFiles } from "./setup/mariadb.ts";

const START_TIMEOUT_MS = 180_000;

/** A MariaDB server on loopback, with the user `headrace` who may do everything and has no password. */
export interface LocalMariadb {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Starts one with its data below `dir`; fast, and not safe against power cuts. It ends with this process, however that ends. `options` are more of
 * the server's.
 */
export async function startMariadb({
  dir,
  options = [],
}: {
  readonly dir: string;
  readonly options?: readonly string[];
}): Promise<LocalMariadb> {
  const files = await mariadbFiles();
  const [port = 0] = await freePorts(1);
  const home = join(dir, "mariadb");
  const data = join(home, "data");
  const temporary = join(home, "tmp");
  for (const each of [data, temporary]) mkdirSync(each, { recursive: true });
  const logFile = join(home, "log");
  const log = openSync(logFile, "a");
  const settings = [
    "--no-defaults",
    // As root it runs only if it is told so; as another user it would not get at a directory of root's.
    ...(process.getuid?.() === 0 ? ["--user=root"] : []),
    `--datadir=${data}`,
    // A server that starts removes what others have in a shared one.
    `--tmpdir=${temporary}`,
    `--lc-messages-dir=${files.share}`,
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=16M",
    "--innodb-buffer-pool-size=64M",
  ];
  const making = spawn(files.server, [...settings, "--bootstrap"], { cwd: home, stdio: ["pipe", log, log] });
  making.stdin?.on("error", () => {}); // Its exit code tells.
  making.stdin?.end(systemTables(files));
  const [code] = await once(making, "exit");
  if (code !== 0) throw new Error(`MariaDB could not make its system tables:\n${logTail(logFile)}`);

  closeSync(log);
  const server = await startProcess({
    name: "MariaDB",
    command: files.server,
    args: [
      ...settings,
      `--port=${port}`,
      "--bind-address=127.0.0.1",
      `--socket=${join(home, "socket")}`,
      `--pid-file=${join(home, "pid")}`,
      "--skip-name-resolve",
      "--max-connections=300",
      ...options,
    ],
    cwd: home,
    logFile,
    signalAtParentsEnd: "SIGKILL",
  });
  await waitUntilReady(server, () => answers(port), { timeoutMs: START_TIMEOUT_MS, intervalMs: 50 });
  return { port, stop: async () => void (await server.kill()) };
}

/** What mariadb-install-db runs, but for the help and the sys schema. */
function systemTables({ share }: MariadbFiles): string {
  const read = (name: string) => readFileSync(join(share, name), "utf8");
  return [
    "CREATE DATABASE mysql;",
    "USE mysql;",
    "SET @auth_root_socket = NULL;",
    read("mysql_system_tables.sql"),
    read("mysql_system_tables_data.sql"),
    "FLUSH PRIVILEGES;",
    "CREATE USER headrace@'127.0.0.1';",
    "GRANT ALL ON *.* TO headrace@'127.0.0.1' WITH GRANT OPTION;",
    "",
  ].join("\n");
}

async function answers(port: number): Promise<boolean> {
  try {
    const connection = await createConnection({ host: "127.0.0.1", port, user: "headrace" });
    await connection.end();
    return true;
  } catch {
    return false;
  }
}
