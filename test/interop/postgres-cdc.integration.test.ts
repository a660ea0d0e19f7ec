import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { postgresCdcSource } from "@headrace/postgres";
import type { SourceRecord } from "@headrace/sdk";
import { openSourceRun } from "@headrace/sdk/testing";
import { type JvmWorker, startJvmWorker } from "#dev/kafka.ts";
import { type LocalPostgres, startPostgres } from "#dev/postgres.ts";
import { debeziumArchive } from "#dev/setup/debezium.ts";
import { jsonConverter } from "#runtime/converters/json.ts";
import { openCommittedReader } from "#support/committed-reader.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";

const DEADLINE_MS = 120_000;

/** One table with a row of every type, and tables for each way of telling a change. */
const SET_UP = `
  CREATE EXTENSION hstore; CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS integer CHECK (value > 0);
  CREATE TABLE types (id int PRIMARY KEY, i2 smallint NOT NULL, i8 bigint, r real, d double precision, b boolean NOT NULL, n numeric(10,2),
    nu numeric, m money, t text, c char(5), by bytea, u uuid, j json, jb jsonb, x xml, da date, ti time, ti3 time(3), tz timetz, ts timestamp,
    ts3 timestamp(3), tstz timestamptz, iv interval, ip inet, ma macaddr, b1 bit(1), b8 bit(8), vb varbit(20), p point, r4 int4range,
    rz tstzrange, ai int[], at text[], an numeric(5,1)[], ats timestamptz[], ad date[], mo mood, po positive, hs hstore, o oid, tz1 timetz, tstz0 timestamptz(0), tstz3 timestamptz(3), whole timestamptz, atz timestamptz[]);
  CREATE TABLE bare (a int, b text);
  CREATE TABLE whole (id int PRIMARY KEY, big text, n int NOT NULL); ALTER TABLE whole REPLICA IDENTITY FULL;
  CREATE TABLE large (id int PRIMARY KEY, big text, n int NOT NULL, name text NOT NULL); ALTER TABLE large ALTER big SET STORAGE EXTERNAL;
  CREATE TABLE people (id int PRIMARY KEY, name text, code varchar(40), pin char(4), note text, plain text, n int); ALTER TABLE people REPLICA IDENTITY FULL;
  CREATE TABLE keyed (id int PRIMARY KEY, region text NOT NULL, n int); ALTER TABLE keyed REPLICA IDENTITY FULL;
  INSERT INTO people VALUES (1, E'J\u00f6rg U0001F600', 'abc', '1234', 'a long note', 'plain', 1);
  INSERT INTO types VALUES (1, 1, 9007199254740993, 1.5, 2.25, true, 12345678.90, 1.2345678901234567890123, '$-1234.50', 'é', 'ab', '\\x00ff',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', '{"b":[1,2]}', '<a>1</a>', '2024-02-29', '13:14:15.123456', '13:14:15.123',
    '13:14:15.123456+02', '2024-02-29 13:14:15.123456', '2024-02-29 13:14:15.123', '2024-02-29 13:14:15.1+02', '1 year 2 mons 3 days 04:05:06.789',
    '10.0.0.1', '08:00:2b:01:02:03', B'1', B'10000001', B'101', '(1.5,2)', '[1,5)', '[2024-01-01 00:00:00+00,)', '{1,NULL,3}', '{a,"b c",NULL}',
    '{1.5,2.0}', '{"2024-02-29 13:14:15.123456+02"}', '{2024-02-29}', 'happy', 5, 'a=>1,b=>NULL', 42,
    '13:14:15.1+02', '2024-02-29 13:14:15Z', '2024-02-29 13:14:15.5Z', '2024-02-29 13:14:15Z', '{"2024-02-29 13:14:15.5Z"}');
  INSERT INTO types (id, i2, b, ts, tstz, r, d, nu) VALUES (2, 3, false, '-infinity', 'infinity', 'NaN', 'Infinity', 'NaN');
  INSERT INTO whole VALUES (1, 'b', 1); INSERT INTO bare VALUES (1, 'one');
  INSERT INTO large SELECT 1, string_agg(md5(i::text), ''), 1, 'nm' FROM generate_series(1, 200) i;`;

const CHANGES = [
  "INSERT INTO types SELECT 3, i2, i8, r, d, b, n, nu, m, t, c, by, u, j, jb, x, da, ti, ti3, tz, ts, ts3, tstz, iv FROM types WHERE id = 1",
  "UPDATE types SET t = 'changed', hs = 'c=>3', mo = 'sad' WHERE id = 1",
  "DELETE FROM types WHERE id = 3",
  "UPDATE whole SET n = 2",
  "UPDATE large SET n = 2",
  "UPDATE large SET id = 10",
  "DELETE FROM large",
  "BEGIN; INSERT INTO bare VALUES (3, 'three'); INSERT INTO whole VALUES (5, 'x', 5); INSERT INTO bare VALUES (4, 'four'); COMMIT",
  "ALTER TABLE whole ADD extra text",
  "INSERT INTO whole VALUES (6, 'x', 6, 'e')",
  "DELETE FROM whole WHERE id = 1",
  "INSERT INTO people VALUES (2, NULL, NULL, NULL, NULL, NULL, NULL)",
  "UPDATE people SET note = 'short' WHERE id = 1",
  "INSERT INTO keyed VALUES (1, 'north', 1)",
  "UPDATE keyed SET n = 2",
  "UPDATE keyed SET region = 'south'",
  "UPDATE keyed SET region = 'south'",
  "DELETE FROM keyed",
  "SELECT pg_logical_emit_message(true, 'app', 'alone')",
  "BEGIN; INSERT INTO bare VALUES (5, 'five'); SELECT pg_logical_emit_message(true, 'app', 'within'); COMMIT",
  "SELECT pg_logical_emit_message(true, 'other', 'left out')",
  "TRUNCATE bare",
  "INSERT INTO bare VALUES (9, 'end')",
];

/** What a transaction's end counts logical messages as. */
const MESSAGES = "LOGICAL_DECODING_MESSAGE";

/** Records of a topic: key and value as JSON with schemas. */
type Topic = readonly (readonly [unknown, unknown])[];

/**
 * JSON without what differs from run to run (clocks, the connector's version, the place of the first reading), and without columns' defaults,
 * which ours leaves out on purpose.
 */
function comparable(text: string | null): unknown {
  if (text === null) return null;
  return JSON.parse(text, function revive(this: Record<string, unknown>, key: string, value: unknown) {
    if (key === "default" || key === "version" || /^ts_(ms|us|ns)$/.test(key)) return undefined;
    if (this["snapshot"] !== undefined && this["snapshot"] !== "false" && /^(lsn|sequence|txId)$/.test(key))
      return undefined;
    // Debezium 3.4 writes a Java object's address where later ones have the name.
    if (key === "data_collection" && String(value).includes("LogicalDecodingMessageId")) return MESSAGES;
    return value;
  });
}

describe("change capture beside Debezium", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-debezium-"));
  const prefix = uniqueName("peer").replaceAll("-", "_");
  const topics = [
    ...["types", "bare", "whole", "large", "people", "keyed"].map((table) => `public.${table}`),
    "transaction",
    "message",
  ];
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let postgres: LocalPostgres;
  let worker: JvmWorker | undefined;
  const ours = new Map<string, (readonly [unknown, unknown])[]>();
  const theirs = new Map<string, Topic>();

  before(async () => {
    [kafka, postgres] = await Promise.all([sharedKafka(), startPostgres({ dir })]);
    await postgres.sql(SET_UP);
    const plugins = join(dir, "plugins");
    mkdirSync(plugins);
    await promisify(execFile)("tar", ["xzf", await debeziumArchive(), "-C", plugins]);
    const config = {
      "database.hostname": "127.0.0.1",
      "database.port": String(postgres.port),
      "database.user": "headrace",
      "database.password": "x",
      "database.dbname": "postgres",
      "topic.prefix": prefix,
      "plugin.name": "pgoutput",
      "provide.transaction.metadata": "true",
      "skipped.operations": "none",
      "skip.messages.without.change": "true",
      "message.key.columns": "public.keyed:region,id",
      "message.prefix.include.list": "ap.",
      "column.mask.with.3.chars": "public.people.pin",
      "column.truncate.to.6.chars": "public[.]people[.]note",
      "column.mask.hash.SHA-256.with.salt.CzQMA0cB5K": "public.people.name",
      "column.mask.hash.v2.SHA-256.with.salt.CzQMA0cB5K": "public.people.code",
    };
    const file = join(dir, "debezium.properties");
    const own = { name: "debezium", "connector.class": "io.debezium.connector.postgresql.PostgresConnector" };
    const entries = Object.entries({ ...own, ...config, "tasks.max": "1" });
    writeFileSync(file, entries.map(([key, value]) => `${key}=${value}\n`).join(""));
    const json = "org.apache.kafka.connect.json.JsonConverter";
    worker = await startJvmWorker({
      dir,
      heap: "400m",
      connectorFiles: [file],
      properties: {
        "bootstrap.servers": kafka.bootstrap,
        "plugin.path": plugins,
        "offset.storage.file.filename": join(dir, "offsets"),
        "key.converter": json,
        "value.converter": json,
      },
    });
    const active = () => postgres.sql("SELECT count(*) FROM pg_replication_slots WHERE active");
    await eventually("Debezium follows the changes", async () => (await active()) === "1", DEADLINE_MS);

    const run = await openSourceRun(postgresCdcSource, {
      config: { ...config, "slot.name": "ours" },
      patienceMs: DEADLINE_MS,
    });
    try {
      const encoder = (isKey: boolean) => jsonConverter.compile(jsonConverter.config.parse({}), isKey);
      const [key, value] = [encoder(true), encoder(false)];
      const text = (encoded: Buffer | string | null) => (encoded === null ? null : String(encoded));
      const add = (records: readonly SourceRecord[]) => {
        for (const record of records) {
          const name = record.topic.slice(prefix.length + 1);
          const known = ours.get(name) ?? [];
          ours.set(name, known);
          const ownKey = record.key ? text(key.encode(record.topic, record.key)) : null;
          const ownValue = record.value.value === null ? null : text(value.encode(record.topic, record.value));
          known.push([comparable(ownKey), comparable(ownValue)]);
        }
      };
      const takeUntil = async (isDone: () => boolean) => {
        while (!isDone()) {
          const records = await run.take(1);
          add(records);
          await run.acknowledge(records);
        }
      };
      await takeUntil(() => [...ours.values()].flat().length === 6);
      const following = run.take(1);
      await eventually("changes are followed", async () => (await active()) === "2", DEADLINE_MS);
      for (const change of CHANGES) await postgres.sql(change);
      add(await following);
      // Each transaction tells its begin and its end, but for the one that changes a table.
      await takeUntil(() => (ours.get("transaction") ?? []).length === 2 * (CHANGES.length - 1));
    } finally {
      await run.close();
    }
    for (const topic of topics) {
      const reader = openCommittedReader(kafka.bootstrap, `${prefix}.${topic}`);
      try {
        const wanted = ours.get(topic)?.length ?? 0;
        await eventually(
          `${wanted} records of Debezium in ${topic}`,
          async () => reader.records.length >= wanted,
          DEADLINE_MS,
        );
        theirs.set(
          topic,
          reader.records.map((record) => [comparable(record.key), comparable(record.value)]),
        );
      } finally {
        await reader.close();
      }
    }
  });

  after(async () => {
    await worker?.stop();
    await postgres.stop();
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  for (const topic of topics) {
    it(`gives the same keys, schemas and events in ${topic}`, () => {
      const found = ours.get(topic) ?? [];
      assert.ok(found.length > 0);
      assert.deepEqual(found, theirs.get(topic));
    });
  }
});
