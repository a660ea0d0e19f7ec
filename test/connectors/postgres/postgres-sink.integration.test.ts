import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { postgresSink } from "@headrace/postgres";
import {
  arraySchema,
  BOOLEAN_SCHEMA,
  BYTES_SCHEMA,
  DATE_SCHEMA,
  decimalSchema,
  FLOAT64_SCHEMA,
  fromDecimalText,
  INT64_SCHEMA,
  mapSchema,
  STRING_SCHEMA,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { sinkRecord } from "@headrace/sdk/testing";
import { item, json, openSink, type SinkOfDialect, sqlSinkSuite } from "../sql/sink-suite.ts";
import { POSTGRES } from "./postgres-dialect.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

const SINK: SinkOfDialect = {
  ...POSTGRES,
  definition: postgresSink,
  module: import.meta.resolve("@headrace/postgres"),
  connectorClass: "postgres-sink",
  schemaIn: () => "public",
  types: {
    big: [INT64_SCHEMA, 2n ** 62n, "4611686018427387904"],
    exact: [decimalSchema(3), fromDecimalText("-12345678901234567890.125", 3), "-12345678901234567890.125"],
    ratio: [FLOAT64_SCHEMA, 1.5, "1.5"],
    flag: [BOOLEAN_SCHEMA, true, "true"],
    text: [STRING_SCHEMA, "a\tb\\c\n'é\"", "a\tb\\c\n'é\""],
    raw: [BYTES_SCHEMA, Buffer.from([0, 255]), "\\x00ff"],
    day: [DATE_SCHEMA, 19_000, "2022-01-08"],
    clock: [TIME_SCHEMA, 3_661_007, "01:01:01.007"],
    moment: [TIMESTAMP_SCHEMA, 1_700_000_000_123n, "2023-11-14 22:13:20.123+00"],
    tags: [arraySchema(STRING_SCHEMA), ['x,"y', "z"], '{"x,\\"y",z}'],
    inner: [
      mapSchema(STRING_SCHEMA, INT64_SCHEMA),
      new Map<Value, Value>([["k", 2n ** 60n]]),
      '{"k": 1152921504606846976}',
    ],
  },
  readBack: (column) => `"${column}"::text`,
  json: "jsonb",
  messages: { tooLong: /value too long/, noPartition: /no partition of relation "parts"/ },
};

describe("the sink of PostgreSQL", () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  sqlSinkSuite(SINK, () => server);

  it("writes plain inserts by COPY from 50 rows on, fewer by INSERT", async () => {
    const database = await server.createDatabase();
    // A trigger tells which statement the server runs.
    await database.run(`CREATE TABLE plain (id int, note text); CREATE TABLE told (place serial, statement text);
      CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO told (statement) VALUES (current_query()); RETURN NULL; END';
      CREATE TRIGGER tell AFTER INSERT ON plain FOR EACH STATEMENT EXECUTE FUNCTION tell()`);
    const sink = await openSink(postgresSink, database, { "table.name.format": "plain", "insert.mode": "insert" });
    let offset = 0n;
    for (const count of [49, 50, 500]) {
      const records = Array.from({ length: count }, () => {
        offset += 1n;
        return sinkRecord({ offset, value: item(Number(offset), "n") });
      });
      await sink.put(records);
    }
    await sink.close();
    assert.deepEqual(sink.errants, []);
    assert.deepEqual(await database.rows("SELECT substring(statement FOR 4) AS verb FROM told ORDER BY place"), [
      { verb: "INSE" },
      { verb: "COPY" },
      { verb: "COPY" },
    ]);
    assert.deepEqual(await database.rows("SELECT count(DISTINCT id)::int, count(*)::int AS all FROM plain"), [
      { count: 599, all: 599 },
    ]);
    await database.close();
  });

  for (const mode of ["insert", "upsert", "update"]) {
    it(`cuts no value to the length of its column by ${mode}, nor of its column's domain`, async () => {
      const database = await server.createDatabase();
      await database.run(`CREATE DOMAIN code AS varchar(3); CREATE DOMAIN label AS code;
        CREATE TABLE lengths (id int PRIMARY KEY, own label, text varchar(3), padded char(3), flags bit(3), list varchar(3)[]);
        INSERT INTO lengths SELECT id FROM generate_series(1, 5) AS id WHERE '${mode}' = 'update'`);
      const keyed = { "pk.mode": "record_value", "pk.fields": "id" };
      const sink = await openSink(postgresSink, database, {
        "table.name.format": "lengths",
        "insert.mode": mode,
        ...(mode === "insert" ? {} : keyed),
      });
      const fitting = { own: "abc", text: "abc", padded: "ab", flags: "101", list: ["abc", "a"] };
      const long = [{ own: "abcd" }, { text: "abcd" }, { padded: "abcd" }, { flags: "1010" }, { list: ["abcd"] }];
      const records = [...long, {}].map((each, index) =>
        sinkRecord({ offset: BigInt(index), value: json({ id: (index % 5) + 1, ...fitting, ...each }) }),
      );
      await sink.put(records);
      await sink.close();
      assert.deepEqual(
        sink.errants.map(({ record, error }) => [record.offset, /too long|does not match type/.test(String(error))]),
        long.map((_, index) => [BigInt(index), true]),
      );
      assert.deepEqual(await database.rows("SELECT * FROM lengths WHERE own IS NOT NULL"), [
        { id: 1, ...fitting, padded: "ab " },
      ]);
      await database.close();
    });
  }
});
