import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { startPostgres as startLocal } from "#dev/postgres.ts";
import { openOutageProxy } from "../outage-proxy.ts";

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

/** Starts a server. */
export async function startPostgres(): Promise<PostgresServer> {
  const dir = mkdtempSync(join(tmpdir(), "headrace-postgres-"));
  const server = await startLocal({ dir });
  const { port } = server;
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
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
