import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { decimalText, type Schema, type SourceRecord, type Value } from "@headrace/sdk";
import { eventOf, type Plain, plain, streaming, withDatabase } from "./capture-run.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

/** The schema of a column in an event: its type, and its name with the parameters where it has such. */
function columnType({ value }: SourceRecord, name: string): readonly unknown[] {
  const after = value.schema?.fields?.find((field) => field.name === "after");
  const schema: Schema | undefined = after?.schema.fields?.find((field) => field.name === name)?.schema;
  return [schema?.type, schema?.name, ...(schema?.parameters ? [schema.parameters] : [])];
}

const DECIMAL = "org.apache.kafka.connect.data.Decimal";
const TYPES = {
  date: ["date", "2024-02-29"],
  time: ["time", "13:14:15.123456"],
  time3: ["time(3)", "13:14:15.123"],
  stamp: ["timestamp", "2024-02-29 13:14:15.123456"],
  stamp3: ["timestamp(3)", "2024-02-29 13:14:15.123"],
  zoned: ["timestamptz", "2024-02-29 13:14:15.123456+02"],
  amount: ["numeric(10,2)", "-12.30"],
  free: ["numeric", "1.2345"],
  price: ["money", "-1234.50"],
  span: ["interval", "1 year 2 mons 3 days 04:05:06.78"],
  pairs: ["hstore", "a=>1,b=>NULL"],
  raw: ["bytea", "\\xfbff00"],
} as const;
type Column = keyof typeof TYPES;

/** Points in time of the values above. */
const DAY = 19_782;
const TIME_MICROS = 47_655_123_456n;
const STAMP_MICROS = BigInt(DAY) * 86_400_000_000n + TIME_MICROS;

/**
 * What each setting makes of a column: type, name of the schema with its parameters, value.
 * Source: Debezium 3.4's documentation of the connector for PostgreSQL, sections "Temporal types", "Decimal types", "Basic types" (INTERVAL), "HSTORE type"
 * and the property binary.handling.mode.
 */
const MODES: readonly (readonly [
  setting: string,
  mode: string,
  expected: Partial<Record<Column, readonly [type: readonly unknown[], value: unknown]>>,
])[] = [
  [
    "time.precision.mode",
    "adaptive",
    {
      date: [["INT32", "io.debezium.time.Date"], DAY],
      time: [["INT64", "io.debezium.time.MicroTime"], TIME_MICROS],
      time3: [["INT32", "io.debezium.time.Time"], 47_655_123],
      stamp: [["INT64", "io.debezium.time.MicroTimestamp"], STAMP_MICROS],
      stamp3: [["INT64", "io.debezium.time.Timestamp"], STAMP_MICROS / 1_000n],
      zoned: [["STRING", "io.debezium.time.ZonedTimestamp"], "2024-02-29T11:14:15.123456Z"],
    },
  ],
  [
    "time.precision.mode",
    "adaptive_time_microseconds",
    {
      date: [["INT32", "io.debezium.time.Date"], DAY],
      time: [["INT64", "io.debezium.time.MicroTime"], TIME_MICROS],
      time3: [["INT64", "io.debezium.time.MicroTime"], 47_655_123_000n],
      stamp: [["INT64", "io.debezium.time.MicroTimestamp"], STAMP_MICROS],
      stamp3: [["INT64", "io.debezium.time.Timestamp"], STAMP_MICROS / 1_000n],
    },
  ],
  [
    "time.precision.mode",
    "connect",
    {
      date: [["INT32", "org.apache.kafka.connect.data.Date"], DAY],
      time: [["INT32", "org.apache.kafka.connect.data.Time"], 47_655_123],
      time3: [["INT32", "org.apache.kafka.connect.data.Time"], 47_655_123],
      stamp: [["INT64", "org.apache.kafka.connect.data.Timestamp"], STAMP_MICROS / 1_000n],
      stamp3: [["INT64", "org.apache.kafka.connect.data.Timestamp"], STAMP_MICROS / 1_000n],
      zoned: [["STRING", "io.debezium.time.ZonedTimestamp"], "2024-02-29T11:14:15.123456Z"],
    },
  ],
  [
    "decimal.handling.mode",
    "precise",
    {
      amount: [["BYTES", DECIMAL, { scale: "2", "connect.decimal.precision": "10" }], "-12.30"],
      free: [["STRUCT", "io.debezium.data.VariableScaleDecimal"], { scale: 4, value: Buffer.from([0x30, 0x39]) }],
      price: [["BYTES", DECIMAL, { scale: "2" }], "-1234.50"],
    },
  ],
  [
    "decimal.handling.mode",
    "double",
    {
      amount: [["FLOAT64", undefined], -12.3],
      free: [["FLOAT64", undefined], 1.2345],
      price: [["FLOAT64", undefined], -1234.5],
    },
  ],
  [
    "decimal.handling.mode",
    "string",
    {
      amount: [["STRING", undefined], "-12.30"],
      free: [["STRING", undefined], "1.2345"],
      price: [["STRING", undefined], "-1234.50"],
    },
  ],
  // A month has 365.25 / 12 days.
  [
    "interval.handling.mode",
    "numeric",
    {
      span: [
        ["INT64", "io.debezium.time.MicroDuration"],
        (14n * 2_629_800n + 3n * 86_400n + 14_706n) * 1_000_000n + 780_000n,
      ],
    },
  ],
  ["interval.handling.mode", "string", { span: [["STRING", "io.debezium.time.Interval"], "P1Y2M3DT4H5M6.78S"] }],
  ["hstore.handling.mode", "json", { pairs: [["STRING", "io.debezium.data.Json"], '{"a":"1","b":null}'] }],
  [
    "hstore.handling.mode",
    "map",
    {
      pairs: [
        ["MAP", undefined],
        new Map([
          ["a", "1"],
          ["b", null],
        ]),
      ],
    },
  ],
  ["binary.handling.mode", "bytes", { raw: [["BYTES", undefined], Buffer.from([0xfb, 0xff, 0])] }],
  ["binary.handling.mode", "base64", { raw: [["STRING", undefined], "+/8A"] }],
  ["binary.handling.mode", "base64-url-safe", { raw: [["STRING", undefined], "-_8A"] }],
  ["binary.handling.mode", "hex", { raw: [["STRING", undefined], "fbff00"] }],
];

describe("settings of change capture", { concurrency: 3 }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  const columns = Object.entries(TYPES);
  const values = columns.map(([, [, value]]) => `'${value}'`).join(", ");
  const setUp = `CREATE EXTENSION hstore; CREATE TABLE a (id int PRIMARY KEY, ${columns.map(([name, [type]]) => `${name} ${type}`).join(", ")});
    INSERT INTO a VALUES (1, ${values})`;

  for (const [setting, mode, expected] of MODES) {
    it(`${setting}=${mode}: values of the first reading and of the stream are as Debezium documents them`, () =>
      withDatabase(server, setUp, async ({ query, open }) => {
        const run = await open({ [setting]: mode });
        const [read] = await run.take(1);
        assert.ok(read);
        await run.acknowledge([read]);
        const taking = run.take(1);
        await streaming(run);
        await query(`INSERT INTO a VALUES (2, ${values})`);
        const [streamed] = await taking;
        assert.ok(streamed);
        for (const record of [read, streamed]) {
          const row = plain(eventOf(record)?.after);
          for (const [name, [type, value]] of Object.entries(expected)) {
            const found = row[name];
            assert.deepEqual(columnType(record, name), type, name);
            const shown = type[1] === DECIMAL && Buffer.isBuffer(found) ? decimalText(found, 2) : found;
            assert.deepEqual(shown, value, name);
          }
        }
      }));
  }

  /** What the changes of two schemas become with some settings, from a stream without a first reading; up to so many records or topics. */
  async function changes(
    config: Readonly<Record<string, string>>,
    wanted: { readonly records: number } | { readonly topics: number },
  ): Promise<readonly SourceRecord[]> {
    const records: SourceRecord[] = [];
    const isEnough = () =>
      "records" in wanted
        ? records.length >= wanted.records
        : new Set(records.map(({ topic }) => topic)).size >= wanted.topics;
    await withDatabase(
      server,
      `CREATE SCHEMA s; CREATE SCHEMA r; CREATE TABLE s.a (id int PRIMARY KEY, big text, bytes bytea, list text[]);
       ALTER TABLE s.a ALTER big SET STORAGE EXTERNAL, ALTER bytes SET STORAGE EXTERNAL, ALTER list SET STORAGE EXTERNAL;
       ALTER TABLE s.a ADD n int; CREATE TABLE r.b (id int PRIMARY KEY)`,
      async ({ query, open }) => {
        const run = await open({ "snapshot.mode": "no_data", ...config });
        const taking = run.take(1);
        await streaming(run);
        const large = "repeat('x', 5000)";
        await query(`INSERT INTO s.a VALUES (1, ${large}, ${large}::bytea, ARRAY[${large}], 1)`);
        await query("UPDATE s.a SET n = 2");
        await query("INSERT INTO r.b VALUES (1)");
        await query("DELETE FROM s.a");
        await query("INSERT INTO s.a VALUES (2)");
        records.push(...(await taking));
        while (!isEnough()) records.push(...(await run.take(1)));
      },
    );
    return records;
  }

  const opsOf = (records: readonly SourceRecord[]) =>
    records.map((record) => `${record.topic} ${eventOf(record)?.op ?? "tombstone"}`);

  it("tombstones.on.delete=false: a deletion has no record without value behind it", async () => {
    const records = await changes({ "schema.include.list": "s", "tombstones.on.delete": "false" }, { records: 4 });
    const all = opsOf(records);
    assert.deepEqual(
      all,
      ["c", "u", "d", "c"].map((op) => `db.s.a ${op}`),
    );
  });

  it("tombstones.on.delete=true, the default: it has", async () => {
    const all = opsOf(await changes({ "schema.exclude.list": "r,public" }, { records: 5 }));
    assert.deepEqual(
      all,
      ["c", "u", "d", "tombstone", "c"].map((op) => `db.s.a ${op}`),
    );
  });

  it("skipped.operations: these are left out", async () => {
    assert.deepEqual(
      opsOf(await changes({ "table.exclude.list": "r.*", "skipped.operations": "u,d" }, { records: 2 })),
      ["db.s.a c", "db.s.a c"],
    );
  });

  it("topic.delimiter, topic.heartbeat.prefix, topic.transaction: topics are named by them", async () => {
    const config = {
      "topic.delimiter": "_",
      "topic.heartbeat.prefix": "pulse",
      "topic.transaction": "ends",
      "heartbeat.interval.ms": "1",
      "provide.transaction.metadata": "true",
    };
    const topics = new Set((await changes(config, { topics: 4 })).map(({ topic }) => topic));
    assert.deepEqual(topics, new Set(["db_s_a", "db_r_b", "pulse_db", "db_ends"]));
  });

  it("publication.name, publication.autocreate.mode=no_tables: an empty publication of that name is made", () =>
    withDatabase(server, "CREATE TABLE a (id int PRIMARY KEY)", async ({ query, open }) => {
      const names = { "publication.name": "own", "publication.autocreate.mode": "no_tables" };
      const run = await open({ "snapshot.mode": "no_data", ...names });
      const taking = run.take(1);
      await streaming(run);
      const rows: readonly Plain[] = await query("SELECT pubname, puballtables FROM pg_publication");
      assert.deepEqual(rows, [{ pubname: "own", puballtables: false }]);
      await query("INSERT INTO a VALUES (1); ALTER PUBLICATION own ADD TABLE a; INSERT INTO a VALUES (2)");
      assert.deepEqual(
        (await taking).map((record) => plain(eventOf(record)?.after)["id"]),
        [2],
      );
    }));

  it("publication.autocreate.mode=disabled: a publication that is not there fails the task", () =>
    withDatabase(server, "CREATE TABLE a (id int PRIMARY KEY)", async ({ open }) => {
      const run = await open({ "publication.autocreate.mode": "disabled" });
      await assert.rejects(run.take(1), /publication dbz_publication does not exist/);
    }));

  it("message.prefix.exclude.list: these logical messages are left out", () =>
    withDatabase(server, "CREATE TABLE a (id int PRIMARY KEY)", async ({ query, open }) => {
      const run = await open({ "snapshot.mode": "no_data", "message.prefix.exclude.list": "app.*" });
      const taking = run.take(1);
      await streaming(run);
      for (const prefix of ["apple", "pear"]) await query(`SELECT pg_logical_emit_message(true, '${prefix}', 'x')`);
      const prefixes = (await taking).map(({ key }) => plain(key?.value)["prefix"]);
      assert.deepEqual(prefixes, ["pear"]);
    }));

  // Source: Debezium 3.4's documentation, "Toasted values" and the property unavailable.value.placeholder.
  const placeholders: readonly (readonly [string, string])[] = [
    ["__debezium_unavailable_value", "__debezium_unavailable_value"],
    ["unchanged", "unchanged"],
    ["hex:756e6368616e676564", "unchanged"],
  ];
  for (const [given, text] of placeholders) {
    it(`unavailable.value.placeholder=${given}: it stands for what an update left as it was`, async () => {
      const config = { "unavailable.value.placeholder": given, "schema.include.list": "s" };
      const [, update] = await changes(config, { records: 2 });
      const row: Readonly<Record<string, Value>> = plain(update === undefined ? null : eventOf(update)?.after);
      assert.deepEqual(row, { id: 1, big: text, bytes: Buffer.from(text), list: [text], n: 2 });
    });
  }
});
