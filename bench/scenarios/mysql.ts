import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Connection, createConnection, type RowDataPacket } from "mysql2/promise";
import { repoRoot } from "#dev/cache.ts";
import { startMariadb } from "#dev/mariadb.ts";
import { startProcess } from "#dev/process.ts";
import { createConnector } from "../connect.ts";
import { measureRate } from "../rate.ts";
import type { Bench, Measurement, Scenario } from "../scenario.ts";
import { startSide } from "../side.ts";
import { scaled } from "./records.ts";

const PACKAGE = join(repoRoot, "connectors/mysql");
const CLIENT = join(repoRoot, "bench/clients/mysql-client.ts");
const NOTE = "x".repeat(80);
const RECORDS_AT_ONCE = 5_000;
const CONVERTER = {
  "key.converter": "org.apache.kafka.connect.storage.StringConverter",
  "value.converter": "org.apache.kafka.connect.json.JsonConverter",
  "value.converter.schemas.enable": "false",
} as const;

/** One run: what moves, between which topic and database. */
interface Run {
  readonly role: "sink" | "source";
  readonly topic: string;
  readonly port: number;
  readonly database: string;
  readonly total: number;
  readonly progress: () => Promise<number>;
}

/** Records of about 100 B of a topic into a table of a real MariaDB, or the other way round, beside a plain client loop. */
export function mysql(role: "sink" | "source", count: number): Scenario {
  return {
    name: `mysql-${role}`,
    quick: false,
    sides: ["headrace", "client"],
    async prepare(bench) {
      await promisify(execFile)(join(repoRoot, "node_modules/.bin/tsc"), ["-b", PACKAGE], { cwd: repoRoot });
      const total = scaled(bench, count);
      // It ends with this process.
      const { port } = await startMariadb({ dir: join(bench.dir, bench.name("mariadb")) });
      const client = await createConnection({ host: "127.0.0.1", port, user: "headrace", multipleStatements: true });
      const filled = bench.name(`mysql-${role}-records`);
      if (role === "sink") await fill(bench, filled, total);
      return async (side) => {
        const database = bench.name("run").replaceAll("-", "_");
        const topic = role === "sink" ? filled : bench.name("mysql-rows_out");
        await client.query(
          `CREATE DATABASE ${database}; CREATE TABLE ${database}.rows_in (n int AUTO_INCREMENT PRIMARY KEY, id int, note text);
           CREATE TABLE ${database}.rows_out (id int PRIMARY KEY, note text NOT NULL)`,
        );
        if (role === "source") {
          await client.query(`USE ${database}; INSERT INTO rows_out SELECT seq, '${NOTE}' FROM seq_1_to_${total}`);
          await bench.topics.create(topic);
        }
        const progress = () => (role === "sink" ? rowsOf(client, database) : bench.topics.count(topic));
        const run: Run = { role, topic, port, database, total, progress };
        const measured = side === "client" ? await runClient(bench, run) : await runConnector(bench, run);
        if (role === "sink") await checkRows(client, database, total);
        await client.query(`DROP DATABASE ${database}`);
        return measured;
      };
    },
  };
}

async function runClient(bench: Bench, { total, progress, ...options }: Run): Promise<Measurement> {
  const name = bench.name("mysql-client");
  const client = await startProcess({
    name,
    command: process.execPath,
    args: ["--conditions=source", CLIENT, JSON.stringify({ ...options, bootstrap: bench.bootstrap })],
    logFile: join(bench.dir, `${name}.log`),
  });
  try {
    return await measureRate({ pid: client.pid, total, progress });
  } finally {
    await client.stop();
  }
}

async function runConnector(bench: Bench, run: Run): Promise<Measurement> {
  const group = bench.name(`mysql-${run.role}`);
  const worker = await startSide("headrace", {
    dir: bench.dir,
    bootstrap: bench.bootstrap,
    group,
    properties: { "plugin.path": PACKAGE },
  });
  try {
    const connection = { "connection.url": `mysql://headrace@127.0.0.1:${run.port}/${run.database}`, ...CONVERTER };
    const config =
      run.role === "sink"
        ? {
            "connector.class": "mysql-sink",
            topics: run.topic,
            "table.name.format": "rows_in",
            "consumer.override.auto.offset.reset": "earliest",
          }
        : {
            "connector.class": "mysql-query-source",
            mode: "incrementing",
            "incrementing.column.name": "id",
            query: "SELECT * FROM rows_out",
            "topic.prefix": run.topic,
            "batch.max.rows": "3000",
          };
    await createConnector(worker.url, group, { ...connection, ...config, "tasks.max": "1" });
    return await measureRate({ pid: worker.pid, total: run.total, progress: run.progress });
  } finally {
    await worker.stop();
  }
}

async function fill(bench: Bench, topic: string, total: number): Promise<void> {
  await bench.topics.create(topic);
  const producer = await bench.topics.openProducer();
  for (let from = 0; from < total; from += RECORDS_AT_ONCE) {
    const length = Math.min(RECORDS_AT_ONCE, total - from);
    const messages = Array.from({ length }, (_, index) => ({
      value: JSON.stringify({ id: from + index, note: NOTE }),
    }));
    await producer.send({ topic, messages });
  }
  await producer.disconnect();
}

/** By the index: counting them would take the server's time. */
async function rowsOf(client: Connection, database: string): Promise<number> {
  const [[row]] = await client.query<RowDataPacket[]>(`SELECT MAX(n) AS n FROM ${database}.rows_in`);
  return Number(row?.["n"] ?? 0);
}

async function checkRows(client: Connection, database: string, total: number): Promise<void> {
  const [[row]] = await client.query<RowDataPacket[]>(`SELECT COUNT(DISTINCT id) AS n FROM ${database}.rows_in`);
  if (Number(row?.["n"]) !== total) throw new Error(`the table has ${row?.["n"]} records instead of ${total}`);
}
