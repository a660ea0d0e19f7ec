import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";
import { startMariadb as startLocal } from "#dev/mariadb.ts";
import { openOutageProxy } from "../outage-proxy.ts";
import type { SqlServer, SqlSession } from "../sql/sql-server.ts";

/** Starts a real MariaDB; `options` are more of its own. */
export async function startMariadb(options: readonly string[] = []): Promise<SqlServer> {
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
      const proxy = await openOutageProxy(port);
      const connections: Connection[] = [];
      async function open(): Promise<SqlSession> {
        const connection = await connect(name);
        connections.push(connection);
        await connection.query("SET SESSION time_zone = '+00:00'");
        return {
          run: async (statements) => void (await connection.query(statements)),
          rows: async (statement) => (await connection.query<RowDataPacket[]>(statement))[0].map((row) => ({ ...row })),
        };
      }
      return {
        ...(await open()),
        name,
        url: `mariadb://headrace@127.0.0.1:${proxy.port}/${name}`,
        outage: proxy.outage,
        stall: proxy.stall,
        connect: open,
        async close() {
          for (const connection of connections) connection.destroy();
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
