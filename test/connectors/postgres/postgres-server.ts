import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type QueryResult } from "pg";
import { type LocalPostgresOptions, startPostgres as startLocal } from "#dev/postgres.ts";
import { openOutageProxy } from "../outage-proxy.ts";
import type { SqlDatabase, SqlRow, SqlServer } from "../sql/sql-server.ts";

/** A real PostgreSQL of the test's own. */
export interface PostgresServer extends SqlServer {
  createDatabase(): Promise<Database>;
}

export interface Database extends SqlDatabase {
  /** What `run` and `rows` go by. */
  readonly client: Client;
  /** Of the proxy, on loopback. */
  readonly proxyPort: number;
}

/** Starts a server. */
export async function startPostgres(options: Omit<LocalPostgresOptions, "dir"> = {}): Promise<PostgresServer> {
  const dir = mkdtempSync(join(tmpdir(), "headrace-postgres-"));
  const server = await startLocal({ ...options, dir });
  const { port } = server;
  const connect = async (database: string) => {
    const client = new Client({ connectionString: `postgresql://headrace@127.0.0.1:${port}/${database}` });
    await client.connect();
    await client.query("SET timezone = 'UTC'");
    return client;
  };
  const admin = await connect("postgres");
  let made = 0;
  let creating: Promise<unknown> = Promise.resolve();
  return {
    port,
    async createDatabase() {
      made += 1;
      const name = `test_${made}`;
      creating = creating.then(() => admin.query(`CREATE DATABASE ${name}`));
      await creating;
      const client = await connect(name);
      const clients = [client];
      const proxy = await openOutageProxy(port);
      return {
        ...sessionOf(client),
        client,
        name,
        proxyPort: proxy.port,
        url: `postgresql://headrace@127.0.0.1:${proxy.port}/${name}`,
        outage: proxy.outage,
        stall: proxy.stall,
        async connect() {
          const another = await connect(name);
          clients.push(another);
          return sessionOf(another);
        },
        async close() {
          for (const each of clients) await each.end();
          await proxy.outage.begin();
        },
      };
    },
    async stop() {
      await admin.end();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function sessionOf(client: Client) {
  return {
    run: async (statements: string) => void (await client.query(statements)),
    rows: async (statement: string) => {
      const { rows }: QueryResult<SqlRow> = await client.query(statement);
      return rows;
    },
  };
}
