import { join } from "node:path";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { startMariadb } from "#dev/mariadb.ts";
import { besideClient, idOf, NOTE } from "./connector.ts";

/** A topic into a table of a real MariaDB, beside an INSERT per batch; or a table into a topic, beside one streamed SELECT. */
export const mysql = (role: "sink" | "source", count: number) =>
  besideClient({
    name: `mysql-${role}`,
    package: "mysql",
    role,
    count,
    async start(bench, total) {
      const { port, stop } = await startMariadb({ dir: join(bench.dir, bench.name("mariadb")) });
      bench.defer(stop);
      const client = await createConnection({ host: "127.0.0.1", port, user: "headrace", multipleStatements: true });
      bench.defer(() => client.end());
      return async (topic) => {
        const database = bench.name("run").replaceAll("-", "_");
        await client.query(
          `CREATE DATABASE ${database}; CREATE TABLE ${database}.rows_in (n int AUTO_INCREMENT PRIMARY KEY, id int, note text);
           CREATE TABLE ${database}.rows_out (id int PRIMARY KEY, note text NOT NULL)`,
        );
        if (role === "source")
          await client.query(`USE ${database}; INSERT INTO rows_out SELECT seq, '${NOTE}' FROM seq_1_to_${total}`);
        const url = { "connection.url": `mysql://headrace@127.0.0.1:${port}/${database}` };
        const sink = {
          connector: { ...url, "connector.class": "mysql-sink", "table.name.format": "rows_in" },
          // By the index: counting them would take the server's time.
          async progress() {
            const [[row]] = await client.query<RowDataPacket[]>(`SELECT MAX(n) AS n FROM ${database}.rows_in`);
            return Number(row?.["n"] ?? 0);
          },
          async ids() {
            const [rows] = await client.query<RowDataPacket[]>(`SELECT id, note FROM ${database}.rows_in`);
            return rows.map(idOf);
          },
        };
        const source = {
          connector: {
            ...url,
            "connector.class": "mysql-query-source",
            mode: "incrementing",
            "incrementing.column.name": "id",
            query: "SELECT * FROM rows_out",
            "topic.prefix": topic,
            "batch.max.rows": "3000",
          },
        };
        return {
          ...(role === "sink" ? sink : source),
          client: { script: "mysql-client.ts", options: { port, database } },
          close: async () => void (await client.query(`DROP DATABASE ${database}`)),
        };
      };
    },
  });
