import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { mysqlQuerySource } from "@headrace/mysql";
import { decimalText, type SourceRecord, type Value } from "@headrace/sdk";
import { openSource, type QuerySourceOfDialect, sqlQuerySourceSuite } from "../sql/query-source-suite.ts";
import type { SqlDatabase, SqlServer } from "../sql/sql-server.ts";
import { startMariadb } from "./mariadb-server.ts";
import { MYSQL } from "./mysql-dialect.ts";

const SOURCE: QuerySourceOfDialect = {
  ...MYSQL,
  definition: mysqlQuerySource,
  module: import.meta.resolve("@headrace/mysql"),
  connectorClass: "mysql-query-source",
  wrongUrls: [...MYSQL.wrongUrls, { url: "mysql://127.0.0.1:1", message: /names no database/ }],
  chosen: { "table.whitelist": "a,b", "table.include.list": "[ab]" },
  schemaPattern: "catalog.pattern",
  items: (table) =>
    `CREATE TABLE ${table} (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, at datetime(6) NOT NULL, changed timestamp(6) NULL, due date)`,
  insert: (table, n, poison) =>
    `SET sql_mode = ''; INSERT INTO ${table} (at, due) VALUES ('2020-01-01' + INTERVAL ${n * 1001} MICROSECOND, '${poison ? "0000-00-00" : "2024-02-29"}')`,
  unreadable: /0000-00-00/,
  unreadableRow: "due = 0",
  uncounted: /table loose has no AUTO_INCREMENT column/,
};

describe("the query source of MySQL and MariaDB", () => {
  let server: SqlServer;
  before(async () => {
    server = await startMariadb(["--default-time-zone=-05:00"]);
  });
  after(() => server.stop());

  sqlQuerySourceSuite(SOURCE, () => server);

  describe("values", () => {
    let database: SqlDatabase;
    before(async () => {
      database = await server.createDatabase();
    });
    after(() => database.close());

    const open = (config: Readonly<Record<string, string>>) => openSource(mysqlQuerySource, database, { config });
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
  });
});
