import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { postgresCdcSource } from "@headrace/postgres";
import type { SourceRecord } from "@headrace/sdk";
import { openSourceRun, type SourceRun } from "@headrace/sdk/testing";
import { z } from "zod";
import { type JvmWorker, startJvmWorker } from "#dev/kafka.ts";
import { type LocalPostgres, startPostgres } from "#dev/postgres.ts";
import { debeziumArchive } from "#dev/setup/debezium.ts";
import { jsonConverter } from "#runtime/converters/json.ts";
import { openCommittedReader } from "#support/committed-reader.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { PAIRS, type Pair } from "./debezium-pairs.ts";

const DEADLINE_MS = 120_000;
/** Longest that Debezium may be behind ours. */
const LATE_MS = 30_000;

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

/** `a` of the row that is inserted last. */
const LAST = 9;

const CHANGES = [
  "INSERT INTO types SELECT 3, i2, i8, r, d, b, n, nu, m, t, c, by, u, j, jb, x, da, ti, ti3, tz, ts, ts3, tstz, iv FROM types WHERE id = 1",
  "UPDATE types SET t = 'changed', hs = 'c=>3', mo = 'sad' WHERE id = 1",
  "UPDATE types SET i2 = 4 WHERE id = 2",
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
  `INSERT INTO bare VALUES (${LAST}, 'end')`,
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
    // The order is that of a hash table's.
    if (key === "data_collections" && Array.isArray(value))
      return value.toSorted((a, b) => (String(a["data_collection"]) < String(b["data_collection"]) ? -1 : 1));
    // Of money as text Debezium drops the last zero, where it reads tables.
    if (key === "m" && typeof value === "string") return value.replace(/0+$/, "");
    // Debezium 3.4 writes a Java object's address where later ones have the name.
    if (key === "data_collection" && String(value).includes("LogicalDecodingMessageId")) return MESSAGES;
    return value;
  });
}

/** What one connector wrote, by topic: behind prefix and delimiter. */
type Written = Map<string, (readonly [unknown, unknown])[]>;

const EVENT = z.object({
  payload: z.looseObject({
    after: z.looseObject({}).nullish(),
    source: z.looseObject({ snapshot: z.string().nullish() }).nullish(),
    status: z.string().nullish(),
  }),
});

/** How far a connector of ours is. */
interface Progress {
  /** It has read all rows. */
  read: boolean;
  /** It has given the last change. */
  changed: boolean;
  /** And all that comes with it. */
  done: boolean;
}

/** Collects what a connector gives as JSON with schemas. */
function collect(prefix: string, { config }: Pair, written: Written) {
  const encoder = (isKey: boolean) => jsonConverter.compile(jsonConverter.config.parse({}), isKey);
  const [key, value] = [encoder(true), encoder(false)];
  const text = (encoded: Buffer | string | null) => (encoded === null ? null : String(encoded));
  const progress: Progress = { read: config["snapshot.mode"] === "no_data", changed: false, done: false };
  const countsTransactions = config["provide.transaction.metadata"] === "true";
  return {
    progress,
    add(records: readonly SourceRecord[]): void {
      for (const record of records) {
        const name = record.topic.slice(prefix.length + 1);
        const known = written.get(name) ?? [];
        written.set(name, known);
        const ownKey = record.key ? text(key.encode(record.topic, record.key)) : null;
        const ownValue = record.value.value === null ? null : text(value.encode(record.topic, record.value));
        known.push([comparable(ownKey), comparable(ownValue)]);
        const event = EVENT.safeParse(JSON.parse(ownValue ?? "null")).data?.payload;
        if (event?.source?.snapshot === "last") progress.read = true;
        if (event?.after?.["a"] === LAST) progress.changed = true;
        if (progress.changed && (!countsTransactions || event?.status === "END")) progress.done = true;
      }
    },
  };
}

describe("change capture beside Debezium", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-debezium-"));
  const base = uniqueName("peer").replaceAll("-", "_");
  const prefixOf = ({ name }: Pair) => `${base}_${name}`;
  const ours = new Map<string, Written>(PAIRS.map(({ name }) => [name, new Map()]));
  const theirs = new Map<string, Map<string, Topic>>(PAIRS.map(({ name }) => [name, new Map()]));
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let postgres: LocalPostgres;
  let worker: JvmWorker | undefined;

  const configOf = (pair: Pair) => ({
    "database.hostname": "127.0.0.1",
    "database.port": String(postgres.port),
    "database.user": "headrace",
    "database.password": "x",
    "database.dbname": "postgres",
    "topic.prefix": prefixOf(pair),
    "plugin.name": "pgoutput",
    "poll.interval.ms": "50",
    ...pair.config,
  });

  async function startDebezium(): Promise<JvmWorker> {
    const plugins = join(dir, "plugins");
    mkdirSync(plugins);
    await promisify(execFile)("tar", ["xzf", await debeziumArchive(), "-C", plugins]);
    const files = PAIRS.map((pair) => {
      const file = join(dir, `${pair.name}.properties`);
      const own = { name: pair.name, "connector.class": "io.debezium.connector.postgresql.PostgresConnector" };
      const slot = { "slot.name": `theirs_${pair.name}`, "tasks.max": "1" };
      const entries = Object.entries({ ...own, ...configOf(pair), ...slot });
      writeFileSync(file, entries.map(([key, value]) => `${key}=${value}\n`).join(""));
      return file;
    });
    const json = "org.apache.kafka.connect.json.JsonConverter";
    return await startJvmWorker({
      dir,
      heap: "600m",
      connectorFiles: files,
      properties: {
        "bootstrap.servers": kafka.bootstrap,
        "plugin.path": plugins,
        "offset.storage.file.filename": join(dir, "offsets"),
        "key.converter": json,
        "value.converter": json,
      },
    });
  }

  /** Reads what Debezium wrote: as many records as ours has, or those that are there after a while, and then the comparison says what is missing. */
  async function readTheirs(pair: Pair): Promise<void> {
    await Promise.all(
      pair.topics.map(async (topic) => {
        // The topic of logical messages has its dot always.
        const delimiter = topic === "message" ? "." : (pair.config["topic.delimiter"] ?? ".");
        const reader = openCommittedReader(kafka.bootstrap, `${prefixOf(pair)}${delimiter}${topic}`);
        const wanted = ours.get(pair.name)?.get(topic)?.length ?? 0;
        const enough = async () => reader.records.length >= wanted;
        await eventually(`${wanted} records of Debezium in ${topic}`, enough, LATE_MS).catch(() => {});
        const records = reader.records.map((record) => [comparable(record.key), comparable(record.value)] as const);
        theirs.get(pair.name)?.set(topic, records);
        await reader.close();
      }),
    );
  }

  before(async () => {
    [kafka, postgres] = await Promise.all([sharedKafka(), startPostgres({ dir })]);
    await postgres.sql(SET_UP);
    // One publication for all; whoever finds it there does not make it.
    await postgres.sql("CREATE PUBLICATION dbz_publication FOR ALL TABLES");
    worker = await startDebezium();
    const streaming = PAIRS.filter(({ config }) => config["snapshot.mode"] !== "initial_only");
    const follow = (count: number) => async () =>
      Number(await postgres.sql("SELECT count(*) FROM pg_replication_slots WHERE active")) === count;
    await eventually("Debezium follows the changes", follow(streaming.length), DEADLINE_MS);

    const runs: { readonly run: SourceRun; readonly pair: Pair; readonly collected: ReturnType<typeof collect> }[] = [];
    const takeUntil = async ({ run, collected }: (typeof runs)[number], reached: keyof Progress) => {
      while (!collected.progress[reached]) {
        const records = await run.take(1);
        collected.add(records);
        await run.acknowledge(records);
      }
    };
    try {
      for (const pair of PAIRS) {
        const run = await openSourceRun(postgresCdcSource, {
          config: { ...configOf(pair), "slot.name": `ours_${pair.name}` },
          patienceMs: DEADLINE_MS,
        });
        runs.push({ run, pair, collected: collect(prefixOf(pair), pair, ours.get(pair.name) ?? new Map()) });
      }
      await Promise.all(runs.map((each) => takeUntil(each, "read")));
      for (const pair of PAIRS) if (!streaming.includes(pair)) await readTheirs(pair);
      const followed = runs
        .filter(({ pair }) => streaming.includes(pair))
        .map((each) => ({ each, taking: each.run.take(1) }));
      await eventually("changes are followed", follow(2 * streaming.length), DEADLINE_MS);
      for (const change of CHANGES) await postgres.sql(change);
      for (const { each, taking } of followed) {
        const records = await taking;
        each.collected.add(records);
        await each.run.acknowledge(records);
      }
      await Promise.all(followed.map(({ each }) => takeUntil(each, "done")));
    } finally {
      await Promise.all(runs.map(({ run }) => run.close()));
    }
    await Promise.all(streaming.map(readTheirs));
  });

  after(async () => {
    await worker?.stop();
    await postgres.stop();
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  for (const { name, topics } of PAIRS) {
    describe(`with the settings of ${name}`, () => {
      for (const topic of topics) {
        it(`gives the same keys, schemas and events in ${topic}`, () => {
          const found = ours.get(name)?.get(topic) ?? [];
          assert.ok(found.length > 0);
          assert.deepEqual(found, theirs.get(name)?.get(topic));
        });
      }
      it("writes no other topics", () => {
        assert.deepEqual([...(ours.get(name)?.keys() ?? [])].toSorted(), topics.toSorted());
      });
    });
  }
});
