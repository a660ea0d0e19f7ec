import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { postgresQuerySource } from "@headrace/postgres";
import type { SourceRecord, Value } from "@headrace/sdk";
import { createMemoryOffsets, openSourceRun, openWorkerRun, sourceAcceptance, until } from "@headrace/sdk/testing";
import { buildConnectors } from "#dev/setup/connectors.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { WORKER_COMMAND } from "../worker-command.ts";
import { type Database, type PostgresServer, startPostgres } from "./postgres-server.ts";

const MODES = {
  incrementing: { mode: "incrementing", "table.whitelist": "public.a,b" },
  timestamp: { mode: "timestamp", "timestamp.column.name": "at", "table.include.list": "public[.][ab]" },
  both: {
    mode: "timestamp+incrementing",
    "timestamp.column.name": "changed,at",
    "incrementing.column.name": "id",
    "table.blacklist": "other",
  },
  query: { mode: "incrementing", "incrementing.column.name": "a.id", query: "SELECT * FROM a WHERE id > 0" },
} as const;

describe("the query source of PostgreSQL", () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  for (const [name, mode] of Object.entries(MODES)) {
    describe(`by ${name}, acceptance`, { concurrency: 4 }, () => {
      const cases = sourceAcceptance({
        definition: postgresQuerySource,
        resumes: "offsets",
        maxBatch: 4,
        items: 10,
        poisoned: "fails",
        misconfigurations: [
          { change: { "topic.prefix": undefined }, key: "topic.prefix", message: /./ },
          { change: { "connection.url": "mysql://h/d" }, key: "connection.url", message: /must start with postgresql/ },
          {
            change: { "connection.url": "postgresql://127.0.0.1:1/x" },
            key: "connection.url",
            message: /cannot connect.*ECONNREFUSED/,
          },
          { change: { mode: "some" }, key: "mode", message: /must be one of/ },
          {
            change: { mode: "timestamp", "timestamp.column.name": "" },
            key: "timestamp.column.name",
            message: /needs a column/,
          },
          { change: { query: "SELECT 1", "table.whitelist": "a" }, key: "table.whitelist", message: /exclude/ },
          { change: { query: "", "table.include.list": "(" }, key: "table.include.list", message: /no regular/ },
        ],
        badOffsets: [
          { partition: { file: "f" }, offset: { incrementing: 1 } },
          { partition: { query: "query" }, offset: { incrementing: "x" } },
        ],
        async openSystem() {
          const database = await server.createDatabase();
          for (const table of ["a", "b", "other"]) {
            await database.client.query(
              `CREATE TABLE ${table} (id serial PRIMARY KEY, at timestamptz NOT NULL, changed timestamptz, amount numeric(9, 2))`,
            );
          }
          let fed = 0;
          async function insert(amount: string, tables = ["a", "b"]): Promise<void> {
            fed += 1;
            const table = name === "query" ? "a" : tables[fed % tables.length];
            await database.client.query(
              `INSERT INTO ${table} (at, amount) VALUES ('2020-01-01Z'::timestamptz + $1 * interval '1.001 ms', $2)`,
              [fed, amount],
            );
          }
          return {
            config: {
              "connection.url": database.url,
              "topic.prefix": "t-",
              "batch.max.rows": "4",
              "poll.interval.ms": "20",
              ...mode,
            },
            outage: database.outage,
            async feed(count: number) {
              for (let left = count; left > 0; left -= 1) await insert("1.50");
            },
            async poison() {
              for (const table of ["a", "b"]) await insert("NaN", [table]);
            },
            close: () => database.close(),
          };
        },
      });
      for (const each of cases) it(each.name, each.run);
    });
  }

  describe("records", () => {
    let database: Database;
    before(async () => {
      database = await server.createDatabase();
    });
    after(() => database.close());
    const query = (sql: string) => database.client.query(sql);

    async function open(config: Record<string, string>, offsets = createMemoryOffsets(), maxTasks = 1) {
      return await openSourceRun(postgresQuerySource, {
        config: { "connection.url": database.url, "topic.prefix": "db.", "poll.interval.ms": "20", ...config },
        offsets,
        maxTasks,
      });
    }
    const idOf = ({ value }: SourceRecord): Value => (value.value as { readonly id: Value }).id;

    it("have the types that the sink writes, each value exact", async () => {
      await query(`CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN amount AS numeric(8, 3);
        CREATE TABLE types (id int PRIMARY KEY, i2 int2 NOT NULL, i8 int8, r float4, d float8, b bool, n numeric(20, 5), free numeric,
          own amount, t text, raw bytea, day date, clock time, plain timestamp, moment timestamptz, u uuid, j jsonb, m mood,
          tags text[], numbers numeric(5, 1)[], span int4range);
        INSERT INTO types VALUES (1, -2, 9007199254740993, 1.5, 0.1, true, -12345678901234.5, 1.23450, 12.5, 'é', '\\x00ff',
          '2024-02-29', '13:14:15.123456', '2024-02-29 13:14:15.123456', '1900-01-01 00:00:00.5+02',
          'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', 'sad', '{a,"b \\"c",NULL}', '{1.5,NULL}', '[1,5)');
        INSERT INTO types (id, i2) VALUES (2, 3)`);
      const run = await open({ mode: "incrementing", "incrementing.column.name": "id", "table.whitelist": "types" });
      const [full, empty] = await run.take(2);
      await run.close();
      const decimal = (unscaled: string) => {
        const hex = BigInt.asUintN(64, BigInt(unscaled)).toString(16).padStart(16, "0");
        return BigInt(`0x${hex}`);
      };
      const shown = Object.fromEntries(
        Object.entries(full?.value.value ?? {}).map(([key, value]) => [
          key,
          key === "n" && Buffer.isBuffer(value)
            ? BigInt.asUintN(64, BigInt.asIntN(value.length * 8, BigInt(`0x${value.toString("hex")}`)))
            : value,
        ]),
      );
      assert.deepEqual(shown, {
        id: 1,
        i2: -2,
        i8: 9007199254740993n,
        r: 1.5,
        d: 0.1,
        b: true,
        n: decimal("-1234567890123450000"),
        free: "1.23450",
        own: Buffer.from([0x30, 0xd4]),
        t: "é",
        raw: Buffer.from([0, 255]),
        day: 19_782,
        clock: 47_655_123,
        plain: 1_709_212_455_123n,
        moment: -2_208_996_000_000n + 500n,
        u: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        j: '{"a": 1}',
        m: "sad",
        tags: ["a", 'b "c', null],
        numbers: [Buffer.from([15]), null],
        span: "[1,5)",
      });
      assert.deepEqual(
        Object.entries(empty?.value.value ?? {}).filter(([, value]) => value !== null),
        [
          ["id", 2],
          ["i2", 3],
        ],
      );
      const schema = Object.fromEntries((full?.value.schema?.fields ?? []).map((field) => [field.name, field.schema]));
      assert.deepEqual([schema["i2"]?.optional, schema["i8"]?.optional], [false, true]);
      assert.equal(schema["own"]?.parameters?.["scale"], "3");
      assert.equal(full?.topic, "db.types");
      assert.deepEqual(full?.sourcePartition["table"]?.toString().split(".").slice(1), ["public", "types"]);
      assert.deepEqual([full?.sourceOffset, empty?.sourceOffset], [{ incrementing: 1n }, { incrementing: 2n }]);
    });

    it("come all again in each round in mode bulk", async () => {
      await query("CREATE TABLE small (id int, note text); INSERT INTO small VALUES (1), (2), (3)");
      const run = await open({ mode: "bulk", "table.whitelist": "small", "batch.max.rows": "2" });
      const records = await run.take(7);
      await run.close();
      assert.deepEqual(records.slice(0, 7).map(idOf), [1, 2, 3, 1, 2, 3, 1]);
    });

    it("of changed rows come by their timestamp, and those that share one are never passed over", async () => {
      await query(`CREATE TABLE shared (id int PRIMARY KEY, at timestamp NOT NULL);
        INSERT INTO shared SELECT i, '2020-01-01' FROM generate_series(1, 5) i; INSERT INTO shared VALUES (6, '2020-01-02')`);
      const config = {
        mode: "timestamp",
        "timestamp.column.name": "at",
        "table.whitelist": "shared",
        "batch.max.rows": "2",
      };
      for (let kept = 1; kept <= 6; kept += 1) {
        const offsets = createMemoryOffsets();
        const first = await open(config, offsets);
        const before = (await first.take(6)).slice(0, kept);
        await first.acknowledge(before);
        await first.close();
        await query("UPDATE shared SET at = at + interval '10 days' WHERE id = 6");
        const again = await open(config, offsets);
        const seen = new Set<Value>();
        while (!seen.has(6)) for (const record of await again.take(1)) seen.add(idOf(record));
        await again.close();
        assert.deepEqual(new Set([...before.map(idOf), ...seen]), new Set([1, 2, 3, 4, 5, 6]), `after ${kept}`);
      }
    });

    it("that are younger than the delay wait", async () => {
      await query(`CREATE TABLE delayed (id int PRIMARY KEY, at timestamptz NOT NULL);
        INSERT INTO delayed VALUES (1, now() - interval '1 hour'), (2, now())`);
      const run = await open({
        mode: "timestamp+incrementing",
        "timestamp.column.name": "at",
        "incrementing.column.name": "id",
        "timestamp.delay.interval.ms": "600000",
        query: "SELECT id, at FROM delayed; ",
      });
      assert.deepEqual((await run.take(1)).map(idOf), [1]);
      await query("UPDATE delayed SET at = now() - interval '30 minutes' WHERE id = 2");
      const [second] = await run.take(1);
      await run.close();
      assert.deepEqual(
        [second?.topic, second && idOf(second), second?.sourcePartition],
        ["db.", 2, { query: "query" }],
      );
    });

    it("are shared out to tasks by tables, also those that come later", async () => {
      await query("CREATE SCHEMA split; CREATE TABLE split.p (id serial) PARTITION BY RANGE (id)");
      await query("CREATE TABLE split.p1 PARTITION OF split.p FOR VALUES FROM (0) TO (1000)");
      for (const table of ["q", "r"]) await query(`CREATE TABLE split.${table} (id serial)`);
      const config = { mode: "incrementing", "schema.pattern": "split", "table.poll.interval.ms": "20" };
      for (const table of ["p", "q", "r"]) await query(`INSERT INTO split.${table} SELECT FROM generate_series(1, 2)`);
      const run = await open(config, createMemoryOffsets(), 2);
      assert.equal(run.tasks, 2);
      assert.deepEqual(new Set((await run.take(6)).map(({ topic }) => topic)), new Set(["db.p", "db.q", "db.r"]));
      await query("CREATE TABLE split.s (id serial)");
      await until(60_000, "tasks are planned anew", () => run.reconfigurations() > 0);
      await run.close();
    });

    it("are none of a table whose column admits NULL, unless that is allowed", async () => {
      await query("CREATE TABLE loose (id int); INSERT INTO loose VALUES (1), (NULL)");
      const config = { mode: "incrementing", "incrementing.column.name": "id", "table.whitelist": "loose" };
      const strict = await open(config);
      await assert.rejects(strict.take(1), /column id of loose admits NULL/);
      await strict.close();
      const run = await open({ ...config, "validate.non.null": "false" });
      assert.deepEqual((await run.take(1)).map(idOf), [1]);
      await run.close();
    });
  });

  it("reads every row in a worker that is killed while rows are written", { timeout: 280_000 }, async () => {
    const kafka = await sharedKafka();
    const database = await server.createDatabase();
    await database.client.query("CREATE TABLE lines (id serial PRIMARY KEY, note text)");
    const pluginPath = await buildConnectors(["postgres"]);
    const worker = await openWorkerRun({ bootstrap: kafka.bootstrap, pluginPath, command: WORKER_COMMAND });
    try {
      const prefix = `${uniqueName("query")}-`;
      const name = uniqueName("rows");
      await worker.start(name, {
        "connector.class": "postgres-query-source",
        "connection.url": database.url,
        "topic.prefix": prefix,
        mode: "incrementing",
        "poll.interval.ms": "50",
        "batch.max.rows": "10",
      });
      await database.client.query("INSERT INTO lines (note) SELECT 'n' FROM generate_series(1, 300)");
      await until(120_000, "the first rows are in Kafka", async () => {
        const answer = await fetch(`${worker.url}/connectors/${name}/offsets`, { signal: AbortSignal.timeout(20_000) });
        return (await answer.text()).includes("incrementing");
      });
      await worker.killAndRestart();
      await database.client.query("INSERT INTO lines (note) SELECT 'n' FROM generate_series(1, 300)");
      const ids = new Set<number>();
      await until(150_000, "600 rows in Kafka", async () => {
        for (const line of await worker.read(`${prefix}lines`, 1, 120_000))
          ids.add((JSON.parse(line) as { id: number }).id);
        return ids.size >= 600;
      });
      assert.deepEqual(ids, new Set(Array.from({ length: 600 }, (_, index) => index + 1)));
    } finally {
      await worker.close();
      await database.close();
      await kafka.stop();
    }
  });
});
