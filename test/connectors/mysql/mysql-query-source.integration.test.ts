import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { mysqlQuerySource } from "@headrace/mysql";
import { decimalText, type SourceRecord, type Value } from "@headrace/sdk";
import { createMemoryOffsets, openSourceRun, openWorkerRun, sourceAcceptance, until } from "@headrace/sdk/testing";
import { buildConnectors } from "#dev/setup/connectors.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { WORKER_COMMAND } from "../worker-command.ts";
import { type Database, type MariadbServer, startMariadb } from "./mariadb-server.ts";

const MODES = {
  incrementing: { mode: "incrementing", "table.whitelist": "a,b" },
  timestamp: { mode: "timestamp", "timestamp.column.name": "at", "table.include.list": "[ab]" },
  both: {
    mode: "timestamp+incrementing",
    "timestamp.column.name": "changed,at",
    "incrementing.column.name": "id",
    "table.blacklist": "other",
  },
  query: { mode: "incrementing", "incrementing.column.name": "a.id", query: "SELECT * FROM a WHERE id > 0" },
} as const;

describe("the query source of MySQL and MariaDB", () => {
  let server: MariadbServer;
  before(async () => {
    server = await startMariadb(["--default-time-zone=-05:00"]);
  });
  after(() => server.stop());

  for (const [name, mode] of Object.entries(MODES)) {
    describe(`by ${name}, acceptance`, { concurrency: 4 }, () => {
      const cases = sourceAcceptance({
        definition: mysqlQuerySource,
        resumes: "offsets",
        maxBatch: 4,
        items: 10,
        poisoned: "fails",
        misconfigurations: [
          { change: { "topic.prefix": undefined }, key: "topic.prefix", message: /./ },
          { change: { "connection.url": "postgresql://h/d" }, key: "connection.url", message: /must start with mysql/ },
          {
            change: { "connection.url": "mysql://127.0.0.1:1", query: "" },
            key: "connection.url",
            message: /names no database/,
          },
          {
            change: { "connection.url": "mysql://127.0.0.1:1/x" },
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
          { partition: { protocol: "1", table: "d.a" }, offset: { incrementing: "x" } },
        ],
        async openSystem() {
          const database = await server.createDatabase();
          for (const table of ["a", "b", "other"]) {
            await database.run(
              `CREATE TABLE ${table} (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, at datetime(6) NOT NULL, changed timestamp(6) NULL, due date)`,
            );
          }
          let fed = 0;
          async function insert(due: string, tables = ["a", "b"]): Promise<void> {
            fed += 1;
            const table = name === "query" ? "a" : tables[fed % tables.length];
            await database.run(
              `INSERT INTO ${table} (at, due) VALUES ('2020-01-01' + INTERVAL ${fed * 1001} MICROSECOND, '${due}')`,
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
              for (let left = count; left > 0; left -= 1) await insert("2024-02-29");
            },
            async poison() {
              await database.run("SET sql_mode = ''");
              for (const table of ["a", "b"]) await insert("0000-00-00", [table]);
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

    async function open(config: Record<string, string>, offsets = createMemoryOffsets(), maxTasks = 1) {
      return await openSourceRun(mysqlQuerySource, {
        config: {
          "connection.url": `jdbc:${database.url}`,
          "topic.prefix": "db.",
          "poll.interval.ms": "20",
          ...config,
        },
        offsets,
        maxTasks,
      });
    }
    const idOf = ({ value }: SourceRecord): Value => (value.value as { readonly id: Value }).id;
    const valuesOf = (record: SourceRecord | undefined) => ({
      ...(record?.value.value as Readonly<Record<string, Value>>),
    });
    const fieldsOf = (record: SourceRecord | undefined) =>
      Object.fromEntries((record?.value.schema?.fields ?? []).map((field) => [field.name, field.schema]));

    it("have each value exact, with a type that fits", async () => {
      const types: Readonly<Record<string, readonly [type: string, sql: string, value: unknown, schema: string]>> = {
        tiny: ["tinyint NOT NULL", "-128", -128, "INT8"],
        tiny_up: ["tinyint unsigned", "255", 255, "INT16"],
        flag: ["tinyint(1)", "1", 1, "INT8"],
        small: ["smallint", "-32768", -32_768, "INT16"],
        small_up: ["smallint unsigned", "65535", 65_535, "INT32"],
        medium: ["mediumint", "-8388608", -8_388_608, "INT32"],
        plain: ["int", "-2147483648", -2_147_483_648, "INT32"],
        plain_up: ["int unsigned", "4294967295", 4_294_967_295n, "INT64"],
        large: ["bigint", "-9223372036854775808", -(2n ** 63n), "INT64"],
        large_up: ["bigint unsigned", "9223372036854775807", 2n ** 63n - 1n, "INT64"],
        single: ["float", "16777215", 16_777_215, "FLOAT32"],
        ratio: ["double", "0.1", 0.1, "FLOAT64"],
        exact: ["decimal(30, 5)", "-1234567890123456789012345.00001", "-1234567890123456789012345.00001", "BYTES"],
        day: ["date", "'2024-02-29'", 19_782, "INT32"],
        old: ["date", "'1000-01-01'", -354_285, "INT32"],
        clock: ["time(6)", "'13:14:15.123456'", 47_655_123, "INT32"],
        moment: ["datetime(6)", "'2024-02-29 13:14:15.123456'", 1_709_212_455_123n, "INT64"],
        early: ["datetime", "'1900-01-01 00:00:00'", -2_208_988_800_000n, "INT64"],
        stamp: ["timestamp(3) NULL", "'2024-02-29 13:14:15.123'", 1_709_212_455_123n, "INT64"],
        years: ["year", "2024", 2024, "INT32"],
        bit1: ["bit(1)", "b'1'", true, "BOOLEAN"],
        bits: ["bit(12)", "b'101000000001'", Buffer.from([0x0a, 0x01]), "BYTES"],
        mood: ["enum('glad', 'sad')", "'sad'", "sad", "STRING"],
        tags: ["set('a', 'b', 'c')", "'a,c'", "a,c", "STRING"],
        data: ["json", `'{"a": [1, "é😀"]}'`, '{"a": [1, "é😀"]}', "STRING"],
        words: ["longtext", "'é😀'", "é😀", "STRING"],
        latin: ["varchar(10) CHARACTER SET latin1", "'é'", "é", "STRING"],
        raw: ["varbinary(4)", "x'00ff27'", Buffer.from([0, 255, 39]), "BYTES"],
        blob_: ["longblob", "x'00ff'", Buffer.from([0, 255]), "BYTES"],
        spot: ["uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "STRING"],
      };
      const columns = Object.entries(types).map(([name, [type]]) => `${name} ${type}`);
      await database.run(`CREATE TABLE types (id int AUTO_INCREMENT PRIMARY KEY, ${columns.join(", ")});
        INSERT INTO types (${Object.keys(types).join(", ")}) VALUES (${Object.values(types)
          .map(([, sql]) => sql)
          .join(", ")}); INSERT INTO types (tiny) VALUES (0)`);
      const run = await open({ mode: "incrementing", "table.whitelist": "types" });
      const [full, empty] = await run.take(2);
      await run.close();
      const { id, ...value } = valuesOf(full);
      assert.equal(id, 1);
      const schemas = fieldsOf(full);
      const shown = Object.entries(value).map(([name, each]) => [
        name,
        name === "exact" && Buffer.isBuffer(each) ? decimalText(each, 5) : each,
      ]);
      const wanted = Object.entries(types).map(([name, [, , each]]) => [name, each]);
      assert.deepEqual(Object.fromEntries(shown), Object.fromEntries(wanted));
      assert.deepEqual(
        Object.keys(types).map((name) => [name, schemas[name]?.type]),
        Object.entries(types).map(([name, [, , , type]]) => [name, type]),
      );
      assert.deepEqual([schemas["tiny"]?.optional, schemas["tiny_up"]?.optional], [false, true]);
      assert.deepEqual(
        Object.entries(empty?.value.value ?? {}).filter(([, each]) => each !== null),
        [
          ["id", 2],
          ["tiny", 0],
        ],
      );
      assert.equal(full?.topic, "db.types");
      assert.deepEqual(full?.sourcePartition, { protocol: "1", table: `${database.name}.types` });
      assert.deepEqual([full?.sourceOffset, empty?.sourceOffset], [{ incrementing: 1n }, { incrementing: 2n }]);
    });

    it("have the types that the user chose", async () => {
      await database.run(`SET sql_mode = ''; CREATE TABLE chosen (id int AUTO_INCREMENT PRIMARY KEY, flag tinyint(1), top bigint unsigned,
        amount decimal(9, 2), at datetime(6) NOT NULL, due date NOT NULL);
        INSERT INTO chosen VALUES (1, 2, 18446744073709551615, 1.50, '2024-02-29 13:14:15.123456', '0000-00-00')`);
      const config = { mode: "incrementing", "table.whitelist": "chosen" };
      const strict = await open(config);
      await assert.rejects(strict.take(1), /column top of chosen: 18446744073709551615 is more than/);
      await strict.close();
      const dated = await open({ ...config, "bigint.unsigned.handling.mode": "precise" });
      await assert.rejects(dated.take(1), /column due of chosen: 0000-00-00 is no day; see zero.date.behavior/);
      await dated.close();
      const run = await open({
        ...config,
        "bigint.unsigned.handling.mode": "precise",
        "tinyint1.as.boolean": "true",
        "zero.date.behavior": "convert_to_null",
        "numeric.mapping": "best_fit",
        "timestamp.granularity": "micros_long",
      });
      const [record] = await run.take(1);
      await run.close();
      const { top, ...value } = valuesOf(record);
      assert.equal(Buffer.isBuffer(top) && decimalText(top, 0), "18446744073709551615");
      assert.deepEqual(value, { id: 1, flag: true, amount: 1.5, at: 1_709_212_455_123_456n, due: null });
      assert.deepEqual([fieldsOf(record)["due"]?.optional, fieldsOf(record)["id"]?.optional], [true, false]);
    });

    it("are read by a column that is NOT NULL, though dates with zeros are null", async () => {
      await database.run(`SET sql_mode = ''; CREATE TABLE dated (id int PRIMARY KEY, at datetime NOT NULL, due date NOT NULL);
        INSERT INTO dated VALUES (1, '2024-02-29 13:14:15', '0000-00-00')`);
      const run = await open({
        mode: "timestamp",
        "timestamp.column.name": "at",
        "table.whitelist": "dated",
        "zero.date.behavior": "convert_to_null",
      });
      const [record] = await run.take(1);
      await run.close();
      assert.deepEqual(valuesOf(record), { id: 1, at: 1_709_212_455_000n, due: null });
    });

    it("come all again in each round in mode bulk", async () => {
      await database.run("CREATE TABLE small (id int, note text); INSERT INTO small (id) VALUES (1), (2), (3)");
      const run = await open({ mode: "bulk", "table.whitelist": "small", "batch.max.rows": "2" });
      const records = await run.take(7);
      await run.close();
      assert.deepEqual(records.slice(0, 7).map(idOf), [1, 2, 3, 1, 2, 3, 1]);
    });

    it("are many and large, and come whole and in order while the server waits for each batch", async () => {
      await database.run(`CREATE TABLE heavy (id int AUTO_INCREMENT PRIMARY KEY, note longtext);
        INSERT INTO heavy (note) SELECT REPEAT('x', 20000) FROM seq_1_to_2000`);
      const run = await open({ mode: "incrementing", "table.whitelist": "heavy", "batch.max.rows": "50" });
      const records = await run.take(2_000);
      await run.close();
      assert.deepEqual(
        records.map(idOf),
        Array.from({ length: 2_000 }, (_, index) => index + 1),
      );
    });

    it("of changed rows come by their timestamp, and those that share one are never passed over", async () => {
      await database.run(`CREATE TABLE shared (id int PRIMARY KEY, at datetime NOT NULL);
        INSERT INTO shared SELECT seq, '2020-01-01' FROM seq_1_to_5; INSERT INTO shared VALUES (6, '2020-01-02')`);
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
        await database.run("UPDATE shared SET at = at + INTERVAL 10 DAY WHERE id = 6");
        const again = await open(config, offsets);
        const seen = new Set<Value>();
        while (!seen.has(6)) for (const record of await again.take(1)) seen.add(idOf(record));
        await again.close();
        assert.deepEqual(new Set([...before.map(idOf), ...seen]), new Set([1, 2, 3, 4, 5, 6]), `after ${kept}`);
      }
    });

    it("of a transaction that commits late are seen if they are younger than the delay", async () => {
      await database.run("CREATE TABLE late (id int PRIMARY KEY, at timestamp(6) NOT NULL)");
      const config = {
        mode: "timestamp+incrementing",
        "timestamp.column.name": "late.at",
        "incrementing.column.name": "id",
        "timestamp.delay.interval.ms": "600000",
        query: "SELECT id, at FROM late; ",
      };
      const slow = await database.connect();
      await slow.query("BEGIN; INSERT INTO late VALUES (1, NOW(6) - INTERVAL 1 MINUTE)");
      await database.run("INSERT INTO late VALUES (2, NOW(6)), (3, NOW(6) - INTERVAL 1 HOUR)");
      const run = await open(config);
      // The row that is committed and older than the delay comes; the younger one would hide that of the slow transaction.
      assert.deepEqual((await run.take(1)).map(idOf), [3]);
      await slow.query("COMMIT");
      await database.run("UPDATE late SET at = at - INTERVAL 20 MINUTE WHERE id < 3");
      const rest = await run.take(2);
      await run.close();
      assert.deepEqual(rest.map(idOf), [1, 2]);
      assert.deepEqual([rest[0]?.topic, rest[0]?.sourcePartition], ["db.", { query: "query" }]);
    });

    it("are shared out to tasks by tables, also those that come later", async () => {
      const other = await server.createDatabase();
      for (const table of ["P", "q", "r"]) {
        await other.run(
          `CREATE TABLE ${table} (id int AUTO_INCREMENT PRIMARY KEY); INSERT INTO ${table} VALUES (1), (2)`,
        );
      }
      await other.run("CREATE VIEW v AS SELECT * FROM q");
      const config = { mode: "incrementing", "catalog.pattern": other.name, "table.poll.interval.ms": "20" };
      const run = await open(config, createMemoryOffsets(), 2);
      assert.equal(run.tasks, 2);
      assert.deepEqual(new Set((await run.take(6)).map(({ topic }) => topic)), new Set(["db.P", "db.q", "db.r"]));
      await other.run("CREATE TABLE s (id int AUTO_INCREMENT PRIMARY KEY)");
      await until(60_000, "tasks are planned anew", () => run.reconfigurations() > 0);
      await run.close();
      await other.close();
    });

    it("are none of a table whose column admits NULL, or which has none that counts", async () => {
      await database.run("CREATE TABLE loose (id int); INSERT INTO loose VALUES (1), (NULL)");
      const uncounted = await open({ mode: "incrementing", "table.whitelist": "loose" });
      await assert.rejects(uncounted.take(1), /table loose has no AUTO_INCREMENT column/);
      await uncounted.close();
      const config = { mode: "incrementing", "incrementing.column.name": "id", "table.whitelist": "loose" };
      const strict = await open(config);
      await assert.rejects(strict.take(1), /column id of loose admits NULL/);
      await strict.close();
      const run = await open({ ...config, "validate.non.null": "false" });
      assert.deepEqual((await run.take(1)).map(idOf), [1]);
      await run.close();
    });
  });

  it("reads every row in a worker that is killed while rows are written", { timeout: 560_000 }, async () => {
    const kafka = await sharedKafka();
    const database = await server.createDatabase();
    await database.run("CREATE TABLE `lines` (id int AUTO_INCREMENT PRIMARY KEY, note text)");
    const pluginPath = await buildConnectors(["mysql"]);
    const worker = await openWorkerRun({ bootstrap: kafka.bootstrap, pluginPath, command: WORKER_COMMAND });
    const insert = () => database.run("INSERT INTO `lines` (note) SELECT 'n' FROM seq_1_to_300");
    try {
      const prefix = `${uniqueName("mysql-query")}-`;
      const name = uniqueName("rows");
      await worker.start(name, {
        "connector.class": "mysql-query-source",
        "connection.url": database.url,
        "topic.prefix": prefix,
        mode: "incrementing",
        "poll.interval.ms": "50",
        "batch.max.rows": "10",
      });
      await insert();
      await until(120_000, "the first rows are in Kafka", async () => {
        const answer = await fetch(`${worker.url}/connectors/${name}/offsets`, { signal: AbortSignal.timeout(20_000) });
        return (await answer.text()).includes("incrementing");
      });
      await worker.killAndRestart();
      await insert();
      const ids = new Set<number>();
      await until(150_000, "600 rows in Kafka", async () => {
        for (const line of await worker.read(`${prefix}lines`, 1, 120_000))
          ids.add((JSON.parse(line) as { id: number }).id);
        return ids.size >= 600;
      });
      const written = await database.rows("SELECT id FROM `lines` ORDER BY id");
      assert.deepEqual(
        [...ids].toSorted((a, b) => a - b),
        written.map(({ id }) => id),
      );
    } finally {
      await worker.close();
      await database.close();
      await kafka.stop();
    }
  });
});
