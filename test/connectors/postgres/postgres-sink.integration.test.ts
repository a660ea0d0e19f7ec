import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { postgresSink } from "@headrace/postgres";
import {
  arraySchema,
  BOOLEAN_SCHEMA,
  BYTES_SCHEMA,
  createStruct,
  DATE_SCHEMA,
  decimalSchema,
  FLOAT64_SCHEMA,
  fromDecimalText,
  INT32_SCHEMA,
  INT64_SCHEMA,
  mapSchema,
  OPTIONAL_STRING_SCHEMA,
  type Schema,
  STRING_SCHEMA,
  structSchema,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { openSinkRun, openWorkerRun, sinkAcceptance, sinkRecord, until } from "@headrace/sdk/testing";
import { buildConnectors } from "#dev/setup/connectors.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { keepAliveSeconds } from "../keep-alive.ts";
import { WORKER_COMMAND } from "../worker-command.ts";
import { type Database, type PostgresServer, startPostgres } from "./postgres-server.ts";

const ITEM = structSchema({ id: INT32_SCHEMA, note: OPTIONAL_STRING_SCHEMA });
const key = (id: number) => createStruct(structSchema({ id: INT32_SCHEMA }), { id });
const item = (id: number, note: string | null = null) => createStruct(ITEM, { id, note });

describe("the postgres package", () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  const MODES = {
    insert: { "insert.mode": "insert" },
    upsert: { "insert.mode": "upsert", "pk.mode": "record_key" },
    "exactly once": { "insert.mode": "insert", "exactly.once.enabled": "true" },
  } as const;
  for (const [mode, config] of Object.entries(MODES)) {
    describe(`sink by ${mode}, acceptance`, { concurrency: 4 }, () => {
      const cases = sinkAcceptance({
        definition: postgresSink,
        repeats: mode === "insert" ? "duplicates" : "absorbs",
        poisoned: "fails",
        misconfigurations: [
          { change: { "connection.url": undefined }, key: "connection.url", message: /./ },
          { change: { "connection.url": "mysql://h/d" }, key: "connection.url", message: /must start with postgresql/ },
          {
            change: { "connection.url": "postgresql://127.0.0.1:1/x" },
            key: "connection.url",
            message: /cannot connect.*ECONNREFUSED/,
          },
          { change: { "insert.mode": "upsert", "pk.mode": "none" }, key: "pk.mode", message: /needs a key/ },
          {
            change: { "delete.enabled": "true", "pk.mode": "none" },
            key: "pk.mode",
            message: /needs pk.mode=record_key/,
          },
          { change: { "batch.size": "0" }, key: "batch.size", message: /at least 1/ },
        ],
        async openSystem() {
          const database = await server.createDatabase();
          await database.client.query("CREATE TABLE items (place serial, id integer, note text CHECK (note <> 'bad'))");
          await database.client.query("CREATE UNIQUE INDEX ON items (id, place)");
          if (mode === "upsert") await database.client.query("CREATE UNIQUE INDEX ON items (id)");
          let locked = false;
          return {
            config: { "connection.url": database.url, "table.name.format": "items", ...config },
            outage: database.outage,
            stall: {
              async begin() {
                await database.client.query("BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE");
                locked = true;
              },
              async end() {
                await database.client.query("ROLLBACK");
                locked = false;
              },
            },
            item: (n) => ({ key: key(n), value: item(n) }),
            poison: () => ({ key: key(-1), value: item(-1, "bad") }),
            async contents() {
              const { rows } = await database.client.query<{ id: number }>("SELECT id FROM items ORDER BY place");
              return rows.map(({ id }) => id);
            },
            async close() {
              if (locked) await database.client.query("ROLLBACK");
              await database.close();
            },
          };
        },
      });
      for (const each of cases) it(each.name, each.run);
    });
  }

  describe("sink", () => {
    let database: Database;
    before(async () => {
      database = await server.createDatabase();
    });
    after(() => database.close());

    async function open(config: Record<string, string>) {
      return await openSinkRun(postgresSink, {
        config: { "connection.url": `jdbc:${database.url}`, ...config },
        errantRecords: true,
      });
    }
    const query = async (sql: string) => (await database.client.query(sql)).rows;

    it("creates tables from schemas, and takes every type", async () => {
      const types: Readonly<Record<string, readonly [Schema, Value, unknown]>> = {
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
      };
      const schema = structSchema(Object.fromEntries(Object.entries(types).map(([name, [each]]) => [name, each])));
      const value = createStruct(
        schema,
        Object.fromEntries(Object.entries(types).map(([name, [, each]]) => [name, each])),
      );
      const columns = Object.keys(types).map((name) => `"${name}"::text AS "${name}"`);
      for (const count of [1, 60]) {
        const table = `types_${count}`;
        const sink = await open({ "auto.create": "true", "table.name.format": table, "pk.mode": "kafka" });
        // 60 rows go by COPY, one by INSERT.
        await sink.put(Array.from({ length: count }, (_, index) => sinkRecord({ offset: BigInt(index), value })));
        await sink.close();
        await database.client.query("SET timezone = 'UTC'");
        const rows = await query(`SELECT ${columns.join(", ")} FROM ${table} ORDER BY __connect_offset`);
        assert.equal(rows.length, count);
        assert.deepEqual(rows[0], Object.fromEntries(Object.entries(types).map(([name, [, , text]]) => [name, text])));
      }
    });

    it("upserts, deletes by tombstones and keeps the order of changes of a row", async () => {
      const sink = await open({
        "auto.create": "true",
        "table.name.format": "public.${topic}",
        "insert.mode": "upsert",
        "pk.mode": "record_key",
        "delete.enabled": "true",
      });
      const nothing = { schema: null, value: null };
      const changes = [
        [1, "a"],
        [2, "b"],
        [1, "c"],
        [2, null],
        [3, "d"],
        [3, null],
        [3, "e"],
      ] as const;
      await sink.put(
        changes.map(([id, note], index) =>
          sinkRecord({ offset: BigInt(index), key: key(id), value: note === null ? nothing : item(id, note) }),
        ),
      );
      assert.deepEqual(await query("SELECT * FROM topic ORDER BY id"), [
        { id: 1, note: "c" },
        { id: 3, note: "e" },
      ]);
      await sink.close();
    });

    it("passes over tombstones while there is no table that could have their rows", async () => {
      const sink = await open({
        "auto.create": "true",
        "table.name.format": "unborn",
        "insert.mode": "upsert",
        "pk.mode": "record_key",
        "delete.enabled": "true",
      });
      const nothing = { schema: null, value: null };
      await sink.put([sinkRecord({ offset: 0n, key: key(1), value: nothing })]);
      await sink.put([
        sinkRecord({ offset: 1n, key: key(1), value: nothing }),
        sinkRecord({ offset: 2n, key: key(2), value: item(2, "b") }),
        sinkRecord({ offset: 3n, key: key(3), value: item(3, "c") }),
        sinkRecord({ offset: 4n, key: key(2), value: nothing }),
      ]);
      await sink.close();
      assert.deepEqual(sink.errants, []);
      assert.deepEqual(await query("SELECT * FROM unborn"), [{ id: 3, note: "c" }]);
    });

    it("adds columns where it may, and refuses records where it may not", async () => {
      await query("CREATE TABLE evolving (id integer)");
      const strict = await open({ "table.name.format": "evolving" });
      await strict.put([sinkRecord({ offset: 0n, value: item(1, "x") })]);
      assert.match(String(strict.errants[0]?.error), /no column note, and auto.evolve is false/);
      await strict.close();
      const sink = await open({ "table.name.format": "evolving", "auto.evolve": "true" });
      await sink.put([sinkRecord({ offset: 0n, value: item(1, "x") })]);
      assert.deepEqual(await query("SELECT * FROM evolving"), [{ id: 1, note: "x" }]);
      await sink.close();
    });

    it("updates rows that are there, and takes schemaless records", async () => {
      await query("CREATE TABLE stock (id integer PRIMARY KEY, amount numeric, more jsonb)");
      await query("INSERT INTO stock VALUES (1, 1, null)");
      const sink = await open({
        "table.name.format": "stock",
        "insert.mode": "update",
        "pk.mode": "record_value",
        "pk.fields": "id",
      });
      const json = (value: Value) => ({ schema: null, value });
      await sink.put(
        [1, 2].map((id) => sinkRecord({ offset: BigInt(id), value: json({ id, amount: 2.5, more: { a: [1] } }) })),
      );
      assert.deepEqual(await query("SELECT id, amount::text, more FROM stock"), [
        { id: 1, amount: "2.5", more: { a: [1] } },
      ]);
      await sink.close();
    });

    it("notices a server that has vanished", async () => {
      await query("CREATE TABLE quiet (id int)");
      const sink = await open({ "table.name.format": "quiet" });
      await sink.put([sinkRecord({ offset: 0n, value: { schema: null, value: { id: 1 } } })]);
      const port = Number(new URL(database.url).port);
      await until(60_000, "the kernel asks some time", () => keepAliveSeconds(port) <= 60);
      await sink.close();
    });

    it("keeps names that are no SQL, whatever is in them", async () => {
      const odd = 'we"ird; drop';
      await query('CREATE TABLE "od""d" ("we""ird; drop" text)');
      const sink = await open({ "table.name.format": 'od"d' });
      await sink.put([sinkRecord({ offset: 0n, value: { schema: null, value: { [odd]: "x" } } })]);
      assert.deepEqual(await query('SELECT * FROM "od""d"'), [{ [odd]: "x" }]);
      await sink.close();
    });
  });

  it("moves records from Kafka in a worker, each once, though the worker is killed", { timeout: 560_000 }, async () => {
    const kafka = await sharedKafka();
    const database = await server.createDatabase();
    await database.client.query("CREATE TABLE lines (id integer, note text)");
    const pluginPath = await buildConnectors(["postgres"]);
    const worker = await openWorkerRun({ bootstrap: kafka.bootstrap, pluginPath, command: WORKER_COMMAND });
    try {
      const topic = uniqueName("postgres");
      const lines = (from: number) =>
        Array.from({ length: 100 }, (_, index) => JSON.stringify({ id: from + index, note: "n" }));
      const count = async () => {
        const { rows } = await database.client.query<{ all: number; each: number }>(
          "SELECT count(*)::int AS all, count(DISTINCT id)::int AS each FROM lines",
        );
        return rows[0];
      };
      await worker.write(topic, lines(0));
      await worker.start(uniqueName("rows"), {
        "connector.class": "postgres-sink",
        "connection.url": database.url,
        "table.name.format": "lines",
        "exactly.once.enabled": "true",
        topics: topic,
        "offset.flush.interval.ms": "60000",
      });
      await until(120_000, "100 rows", async () => (await count())?.each === 100);
      await worker.killAndRestart();
      await worker.write(topic, lines(100));
      await until(120_000, "200 rows", async () => (await count())?.each === 200);
      assert.deepEqual(await count(), { all: 200, each: 200 });
    } finally {
      await worker.close();
      await database.close();
      await kafka.stop();
    }
  });
});
