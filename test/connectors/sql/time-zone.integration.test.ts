import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { mysqlQuerySource, mysqlSink } from "@headrace/mysql";
import { postgresQuerySource, postgresSink } from "@headrace/postgres";
import {
  createStruct,
  INT32_SCHEMA,
  type SourceRecord,
  structSchema,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { createMemoryOffsets, openSinkRun, openSourceRun, sinkRecord } from "@headrace/sdk/testing";
import { startMariadb } from "../mysql/mariadb-server.ts";
import { startPostgres } from "../postgres/postgres-server.ts";

const ROW = structSchema({ id: INT32_SCHEMA, plain: TIMESTAMP_SCHEMA, zoned: TIMESTAMP_SCHEMA });
/** From before the end of summer time in Berlin, at 01:00 in UTC, to behind it, but for the hour that comes twice there. */
const TIMES = ["2023-12-01T11:00:00.5Z", "2024-07-01T10:00:00.25Z", "2024-10-27T00:30:00Z", "2024-10-27T02:30:00Z"].map(
  (text) => BigInt(Date.parse(text)),
);
const LOCAL = [
  "2023-12-01 12:00:00.500",
  "2024-07-01 12:00:00.250",
  "2024-10-27 02:30:00.000",
  "2024-10-27 03:30:00.000",
];
const UTC = [
  "2023-12-01 11:00:00.500",
  "2024-07-01 10:00:00.250",
  "2024-10-27 00:30:00.000",
  "2024-10-27 02:30:00.000",
];
/** From so many rows on PostgreSQL's sink copies. */
const COPIES = 15;

/** A database with the table `times`, and how its columns are looked at. */
interface Opened {
  readonly url: string;
  rows(): Promise<readonly { readonly plain: string; readonly zoned: string }[]>;
  run(sql: string): Promise<unknown>;
  close(): Promise<void>;
}

const DIALECTS = {
  postgres: {
    sink: postgresSink,
    source: postgresQuerySource,
    async start() {
      const server = await startPostgres();
      return {
        async open(): Promise<Opened> {
          const database = await server.createDatabase();
          const { client } = database;
          await client.query(
            "SET timezone = 'America/New_York'; CREATE TABLE times (id int PRIMARY KEY, plain timestamp(3), zoned timestamptz)",
          );
          const text = (column: string) => `to_char(${column}, 'YYYY-MM-DD HH24:MI:SS.MS')`;
          return {
            url: database.url,
            rows: async () =>
              (
                await client.query<{ plain: string; zoned: string }>(
                  `SELECT ${text("plain")} AS plain, ${text("zoned AT TIME ZONE 'UTC'")} AS zoned FROM times ORDER BY id`,
                )
              ).rows,
            run: (sql) => client.query(sql),
            close: () => database.close(),
          };
        },
        stop: () => server.stop(),
      };
    },
  },
  mysql: {
    sink: mysqlSink,
    source: mysqlQuerySource,
    async start() {
      const server = await startMariadb(["--default-time-zone=-05:00"]);
      return {
        async open(): Promise<Opened> {
          const database = await server.createDatabase();
          await database.run("CREATE TABLE times (id int PRIMARY KEY, plain datetime(3), zoned timestamp(3) NULL)");
          return {
            url: database.url,
            // Its session is in UTC.
            rows: async () =>
              (await database.rows("SELECT plain, zoned FROM times ORDER BY id")).map(({ plain, zoned }) => ({
                plain: String(plain),
                zoned: String(zoned),
              })),
            run: (sql) => database.run(sql),
            close: () => database.close(),
          };
        },
        stop: () => server.stop(),
      };
    },
  },
} as const;

for (const [name, { sink, source, start }] of Object.entries(DIALECTS)) {
  describe(`db.timezone with ${name}`, () => {
    let server: { open(): Promise<Opened>; stop(): Promise<void> };
    before(async () => {
      server = await start();
    });
    after(() => server.stop());

    const field = (record: SourceRecord, column: string): Value =>
      new Map<string, Value>(Object.entries(record.value.value ?? {})).get(column) ?? null;

    async function write(url: string, zone: Readonly<Record<string, string>>): Promise<void> {
      const run = await openSinkRun(sink, {
        config: { "connection.url": url, "table.name.format": "times", ...zone },
        errantRecords: false,
      });
      const times = Array.from({ length: COPIES }, () => TIMES).flat();
      const records = times.map((time, id) =>
        sinkRecord({ offset: BigInt(id), value: createStruct(ROW, { id, plain: time, zoned: time }) }),
      );
      // The first by itself: another statement than many.
      await run.put(records.slice(0, 1));
      await run.put(records.slice(1));
      await run.close();
    }

    it("writes local times into columns without a zone, and reads them as the same points in time", async () => {
      const database = await server.open();
      const zone = { "db.timezone": "Europe/Berlin" };
      await write(database.url, zone);
      const rows = await database.rows();
      assert.equal(rows.length, TIMES.length * COPIES);
      for (const [index, row] of rows.entries()) {
        const place = index % TIMES.length;
        assert.deepEqual({ ...row }, { plain: LOCAL[place], zoned: UTC[place] }, `row ${index}`);
      }
      const run = await openSourceRun(source, {
        config: {
          "connection.url": database.url,
          "topic.prefix": "t-",
          mode: "incrementing",
          "incrementing.column.name": "id",
          "table.whitelist": "times",
          ...zone,
        },
      });
      for (const [index, record] of (await run.take(rows.length)).entries()) {
        const time = TIMES[index % TIMES.length];
        assert.deepEqual([field(record, "plain"), field(record, "zoned")], [time, time], `row ${index}`);
      }
      await run.close();
      await database.close();
    });

    it("is UTC if nothing else is said", async () => {
      const database = await server.open();
      await write(database.url, {});
      for (const [index, row] of (await database.rows()).entries())
        assert.deepEqual({ ...row }, { plain: UTC[index % UTC.length], zoned: UTC[index % UTC.length] });
      await database.close();
    });

    for (const column of ["plain", "zoned"] as const) {
      it(`goes on behind a time of a column ${column === "plain" ? "without" : "with"} a zone`, async () => {
        const database = await server.open();
        await database.run("DELETE FROM times");
        const values = (column === "plain" ? LOCAL : UTC).map(
          (text, id) => `(${id}, '${text}${name === "postgres" && column === "zoned" ? "Z" : ""}')`,
        );
        await database.run(`INSERT INTO times (id, ${column}) VALUES ${values.slice(0, 3).join(", ")}`);
        const offsets = createMemoryOffsets();
        const open = () =>
          openSourceRun(source, {
            config: {
              "connection.url": database.url,
              "topic.prefix": "t-",
              "poll.interval.ms": "20",
              mode: "timestamp+incrementing",
              "timestamp.column.name": column,
              "incrementing.column.name": "id",
              "validate.non.null": "false",
              query: `SELECT id, ${column} FROM times`,
              "db.timezone": "Europe/Berlin",
            },
            offsets,
          });
        const first = await open();
        const before = await first.take(3);
        assert.deepEqual(
          before.map((record) => field(record, column)),
          TIMES.slice(0, 3),
        );
        assert.deepEqual(
          before.map(({ sourceOffset }) => sourceOffset["timestamp"]),
          TIMES.slice(0, 3),
        );
        await first.acknowledge(before);
        await first.close();
        await database.run(`INSERT INTO times (id, ${column}) VALUES ${values[3]}`);
        const again = await open();
        assert.deepEqual(
          (await again.take(1)).map((record) => field(record, "id")),
          [3],
        );
        await again.close();
        await database.close();
      });
    }

    it("is refused if there is no such zone", async () => {
      const database = await server.open();
      const config = { "connection.url": database.url, "db.timezone": "Europe/Atlantis" };
      for (const definition of [sink, source]) {
        const more = definition === source ? { mode: "bulk", "topic.prefix": "t" } : {};
        const parsed = definition.config.safeParse({ ...config, ...more });
        const problems = parsed.error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
        assert.deepEqual(problems, [
          "db.timezone: Europe/Atlantis is no time zone: give a name such as UTC or Europe/Berlin",
        ]);
      }
      await database.close();
    });
  });
}
