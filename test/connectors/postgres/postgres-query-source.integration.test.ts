import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { postgresQuerySource } from "@headrace/postgres";
import { decimalText } from "@headrace/sdk";
import { openSource, type QuerySourceOfDialect, sqlQuerySourceSuite } from "../sql/query-source-suite.ts";
import { POSTGRES } from "./postgres-dialect.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

const SOURCE: QuerySourceOfDialect = {
  ...POSTGRES,
  definition: postgresQuerySource,
  module: import.meta.resolve("@headrace/postgres"),
  connectorClass: "postgres-query-source",
  chosen: { "table.whitelist": "public.a,b", "table.include.list": "public[.][ab]" },
  schemaPattern: "schema.pattern",
  items: (table) =>
    `CREATE TABLE ${table} (id serial PRIMARY KEY, at timestamptz NOT NULL, changed timestamptz, amount numeric(9, 2))`,
  insert: (table, n, poison) =>
    `INSERT INTO ${table} (at, amount) VALUES ('2020-01-01Z'::timestamptz + ${n} * interval '1.001 ms', '${poison ? "NaN" : "1.50"}')`,
  unreadable: /NaN/,
  unreadableRow: "amount = 'NaN'",
  uncounted: /table loose has no identity or serial column/,
};

describe("the query source of PostgreSQL", () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  sqlQuerySourceSuite(SOURCE, () => server);

  it("has the types that the sink writes, each value exact", async () => {
    const database = await server.createDatabase();
    await database.run(`CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE DOMAIN amount AS numeric(8, 3);
      CREATE TABLE types (id int PRIMARY KEY, i2 int2 NOT NULL, i8 int8, r float4, d float8, b bool, n numeric(20, 5), free numeric,
        own amount, t text, raw bytea, day date, clock time, plain timestamp, moment timestamptz, u uuid, j jsonb, m mood,
        tags text[], numbers numeric(5, 1)[], span int4range);
      INSERT INTO types VALUES (1, -2, 9007199254740993, 1.5, 0.1, true, -12345678901234.5, 1.23450, 12.5, 'é', '\\x00ff',
        '2024-02-29', '13:14:15.123456', '2024-02-29 13:14:15.123456', '1900-01-01 00:00:00.5+02',
        'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', 'sad', '{a,"b \\"c",NULL}', '{1.5,NULL}', '[1,5)');
      INSERT INTO types (id, i2) VALUES (2, 3)`);
    const config = { mode: "incrementing", "incrementing.column.name": "id", "table.whitelist": "types" };
    const run = await openSource(postgresQuerySource, database, { config });
    const [full, empty] = await run.take(2);
    await run.close();
    const shown = Object.entries(full?.value.value ?? {}).map(([name, value]) => [
      name,
      name === "n" && Buffer.isBuffer(value) ? decimalText(value, 5) : value,
    ]);
    assert.deepEqual(Object.fromEntries(shown), {
      id: 1,
      i2: -2,
      i8: 9007199254740993n,
      r: 1.5,
      d: 0.1,
      b: true,
      n: "-12345678901234.50000",
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
    await database.close();
  });

  it("reads values the same whatever the role, the database and the URL's options say of their form", async () => {
    const database = await server.createDatabase();
    await database.run(`CREATE SCHEMA other; CREATE TABLE other.a (day date, moment timestamptz, raw bytea, length interval);
      INSERT INTO other.a VALUES ('2024-02-03', '2024-02-03 12:00:00Z', '\\x00ff', '1 day 02:00');
      CREATE ROLE formed SUPERUSER LOGIN; ALTER ROLE formed SET datestyle = 'German, DMY'; ALTER ROLE formed SET bytea_output = 'escape';
      ALTER DATABASE ${database.name} SET timezone = 'Asia/Tokyo'; ALTER DATABASE ${database.name} SET intervalstyle = 'sql_standard'`);
    const options = encodeURIComponent("-c search_path=other -c datestyle=SQL");
    const config = { mode: "bulk", query: "SELECT * FROM a", "topic.prefix": "t", "connection.user": "formed" };
    const values = [];
    for (const url of [`${database.url}?options=${options}`, database.url]) {
      const own = url === database.url ? { query: "SELECT * FROM other.a" } : {};
      const run = await openSource(postgresQuerySource, { ...database, url }, { config: { ...config, ...own } });
      try {
        values.push((await run.take(1))[0]?.value.value);
      } finally {
        await run.close();
      }
    }
    const length = "P1DT2H";
    const expected = { day: 19_756, moment: 1_706_961_600_000n, raw: Buffer.from([0, 255]), length };
    assert.deepEqual(values, [expected, expected]);
    await database.close();
  });
});
