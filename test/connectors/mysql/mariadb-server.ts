import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Outage } from "@headrace/sdk/testing";
import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";
import { startMariadb as startLocal } from "#dev/mariadb.ts";
import { openOutageProxy } from "../outage-proxy.ts";

/** A real MariaDB of the test's own, on a free loopback port. */
export interface MariadbServer {
  readonly port: number;
  /** A new, empty database; `connection.url` of it, and a client. */
  createDatabase(): Promise<Database>;
  stop(): Promise<void>;
}

export interface Database {
  readonly name: string;
  /** Goes through a proxy that can be cut. */
  readonly url: string;
  readonly outage: Outage;
  /** Runs statements in a session in UTC. */
  run(statements: string): Promise<void>;
  /** The rows of one, as objects; dates and large numbers are text. */
  rows(statement: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Another session. */
  connect(): Promise<Connection>;
  close(): Promise<void>;
}

/** Starts a server; `options` are more of its own. */
export async function startMariadb(options: readonly string[] = []): Promise<MariadbServer> {
  const dir = mkdtempSync(join(tmpdir(), "headrace-mariadb-"));
  const server = await startLocal({ dir, options });
  const { port } = server;
  const connect = (database?: string) =>
    createConnection({
      host: "127.0.0.1",
      port,
      user: "headrace",
      charset: "utf8mb4",
      timezone: "Z",
      multipleStatements: true,
      dateStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      jsonStrings: true,
      ...(database !== undefined && { database }),
    });
  const admin = await connect();
  let made = 0;
  return {
    port,
    async createDatabase() {
      made += 1;
      const name = `test_${made}`;
      await admin.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
      const client = await connect(name);
      await client.query("SET SESSION time_zone = '+00:00'");
      const proxy = await openOutageProxy(port);
      const others: Connection[] = [];
      return {
        name,
        url: `mariadb://headrace@127.0.0.1:${proxy.port}/${name}`,
        outage: proxy.outage,
        async run(statements) {
          await client.query(statements);
        },
        async rows(statement) {
          return (await client.query<RowDataPacket[]>(statement))[0];
        },
        async connect() {
          const connection = await connect(name);
          others.push(connection);
          return connection;
        },
        async close() {
          for (const connection of [client, ...others]) connection.destroy();
          await proxy.outage.begin();
        },
      };
    },
    async stop() {
      admin.destroy();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
