import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { startPostgres } from "#dev/postgres.ts";
import { postgresBin } from "#dev/setup/postgres.ts";
import { eventually } from "#support/eventually.ts";
import type { Bench } from "../scenario.ts";
import { besideClient, idOf, NOTE } from "./connector.ts";

/** Rows of a transaction of the captured table. */
const TRANSACTION = 1_000;
const SLOT_FREE_MS = 60_000;

/** A server, and databases with clients. */
async function openDatabases(bench: Bench) {
  const { port, stop } = await startPostgres({ dir: join(bench.dir, bench.name("postgres")) });
  bench.defer(stop);
  const connect = async (database: string) => {
    const client = new Client({ host: "127.0.0.1", port, user: "headrace", database });
    // What breaks between two queries shows with the next one.
    client.on("error", () => {});
    await client.connect();
    return client;
  };
  const admin = await connect("postgres");
  bench.defer(() => admin.end());
  return {
    port,
    async create() {
      const name = bench.name("run").replaceAll("-", "_");
      await admin.query(`CREATE DATABASE ${name}`);
      const client = await connect(name);
      return {
        name,
        client,
        url: `postgresql://headrace@127.0.0.1:${port}/${name}`,
        async drop() {
          await client.end();
          await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
        },
      };
    },
  };
}

/** A topic into a table of a real PostgreSQL, beside one COPY per batch. */
export const postgresSink = (count: number) =>
  besideClient({
    name: "postgres-sink",
    package: "postgres",
    role: "sink",
    count,
    async start(bench) {
      const databases = await openDatabases(bench);
      return async () => {
        const { client, url, drop } = await databases.create();
        await client.query("CREATE TABLE rows_in (n serial PRIMARY KEY, id int, note text)");
        return {
          connector: { "connector.class": "postgres-sink", "connection.url": url, "table.name.format": "rows_in" },
          client: { script: "postgres-client.ts", options: { url } },
          // By the index: counting them would take the server's time.
          async progress() {
            const { rows } = await client.query<{ n: number }>("SELECT coalesce(max(n), 0) AS n FROM rows_in");
            return rows[0]?.n ?? 0;
          },
          async ids() {
            const { rows } = await client.query("SELECT id, note FROM rows_in");
            return rows.map(idOf);
          },
          close: drop,
        };
      };
    },
  });

/** A table into a topic by a query, beside one COPY of it. */
export const postgresQuery = (count: number) =>
  besideClient({
    name: "postgres-query-source",
    package: "postgres",
    role: "source",
    count,
    async start(bench, total) {
      const databases = await openDatabases(bench);
      return async (topic) => {
        const { client, url, drop } = await databases.create();
        await client.query("CREATE TABLE rows_out (id int PRIMARY KEY, note text NOT NULL)");
        await client.query(`INSERT INTO rows_out SELECT id, $1 FROM generate_series(1, ${total}) AS id`, [NOTE]);
        return {
          connector: {
            "connector.class": "postgres-query-source",
            "connection.url": url,
            mode: "incrementing",
            "incrementing.column.name": "id",
            query: "SELECT * FROM rows_out",
            "topic.prefix": topic,
            "batch.max.rows": "3000",
          },
          client: { script: "postgres-client.ts", options: { url } },
          close: drop,
        };
      };
    },
  });

/** The changes of a table that wait in a replication slot into a topic, beside pg_recvlogical, which writes what test_decoding says into a file. */
export const postgresCapture = (count: number) =>
  besideClient({
    name: "postgres-capture",
    package: "postgres",
    role: "source",
    count,
    rowPath: ["after"],
    portion: TRANSACTION,
    async start(bench, total) {
      const databases = await openDatabases(bench);
      const program = join(await postgresBin(), "pg_recvlogical");
      return async (topic) => {
        const { client, name, drop } = await databases.create();
        await client.query("CREATE TABLE rows_out (id int PRIMARY KEY, note text NOT NULL)");
        await client.query("CREATE PUBLICATION bench FOR TABLE rows_out");
        const slots = { pgoutput: `${name}_connector`, test_decoding: `${name}_client` };
        for (const [plugin, slot] of Object.entries(slots))
          await client.query("SELECT pg_create_logical_replication_slot($1, $2)", [slot, plugin]);
        await client.query(`DO $$ BEGIN FOR i IN 0..${total - 1} BY ${TRANSACTION} LOOP
          INSERT INTO rows_out SELECT id, '${NOTE}' FROM generate_series(i, i + ${TRANSACTION - 1}) AS id; COMMIT;
          END LOOP; END $$`);
        const file = join(bench.dir, bench.name("changes"));
        const changes = followChanges(file);
        const server = ["-h", "127.0.0.1", "-p", String(databases.port), "-U", "headrace", "-d", name];
        return {
          connector: {
            "connector.class": "postgres-cdc-source",
            "database.hostname": "127.0.0.1",
            "database.port": String(databases.port),
            "database.user": "headrace",
            "database.dbname": name,
            "topic.prefix": "bench",
            "publication.name": "bench",
            "publication.autocreate.mode": "disabled",
            "slot.name": slots.pgoutput,
            "snapshot.mode": "no_data",
            transforms: "route",
            "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
            "transforms.route.regex": ".*",
            "transforms.route.replacement": topic,
          },
          client: {
            command: program,
            args: [...server, "--slot", slots.test_decoding, "--start", "-f", file],
            progress: changes.count,
          },
          ids: changes.ids,
          async close() {
            changes.close();
            const free = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1 AND NOT active`;
            const left = "SELECT 1 FROM pg_replication_slots WHERE database = $1";
            const isFree = async () => {
              await client.query(free, [name]);
              return (await client.query(left, [name])).rowCount === 0;
            };
            await eventually("the slots are free", isFree, SLOT_FREE_MS);
            await drop();
          },
        };
      };
    },
  });

const INSERTION = /^table public\.rows_out: INSERT: id\[integer\]:(?<id>\d+) note\[text\]:'(?<note>.*)'$/gm;

/** Counts the insertions that pg_recvlogical writes into a file, which may not be there yet. */
function followChanges(file: string) {
  const fd = openSync(file, "a+");
  const chunk = Buffer.alloc(1 << 20);
  let at = 0;
  let found = 0;
  return {
    async count() {
      for (
        let read = readSync(fd, chunk, 0, chunk.length, at);
        read > 0;
        read = readSync(fd, chunk, 0, chunk.length, at)
      ) {
        const end = chunk.subarray(0, read).lastIndexOf("\n") + 1;
        if (end === 0) break;
        found += chunk.toString("latin1", 0, end).split(": INSERT: ").length - 1;
        at += end;
      }
      return found;
    },
    ids: () => [...readFileSync(file, "utf8").matchAll(INSERTION)].map(({ groups }) => idOf(groups)),
    close: () => closeSync(fd),
  };
}
