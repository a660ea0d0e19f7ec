import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  createStruct,
  INT32_SCHEMA,
  INT64_SCHEMA,
  OPTIONAL_STRING_SCHEMA,
  type Schema,
  type SinkDefinition,
  STRING_SCHEMA,
  structSchema,
  type Value,
} from "@headrace/sdk";
import { openSinkRun, sinkAcceptance, sinkRecord, until } from "@headrace/sdk/testing";
import { uniqueName } from "#support/kafka.ts";
import { NOT_APPLICABLE } from "#support/not-applicable.ts";
import { openPluginWorker } from "#support/plugin-worker.ts";
import { keepAliveSeconds } from "../keep-alive.ts";
import { type SqlDialect, wrongUrlsOf } from "./sql-dialect.ts";
import type { SqlDatabase, SqlServer } from "./sql-server.ts";

/** A sink of a SQL database, and what is its own. */
export interface SinkOfDialect extends SqlDialect {
  readonly definition: SinkDefinition;
  /** URL of the module that exports it. */
  readonly module: string;
  /** What is written as `connector.class` in a worker. */
  readonly connectorClass: string;
  /** The schema of a database's tables. */
  schemaIn(database: SqlDatabase): string;
  /** By name of a column: a schema, a value of it, and what is read of a column that was created for it. */
  readonly types: Readonly<Record<string, readonly [schema: Schema, value: Value, read: unknown]>>;
  /** A column as what `types` expects of it. */
  readBack(column: string): string;
  /** Type of a column of JSON documents. */
  readonly json: string;
  readonly messages: { readonly tooLong: RegExp; readonly noPartition: RegExp };
}

const ITEM = structSchema({ id: INT32_SCHEMA, note: OPTIONAL_STRING_SCHEMA });
const KEY = structSchema({ id: INT32_SCHEMA });
const key = (id: number) => createStruct(KEY, { id });
/** A record's value: a row of `id` and `note`. */
export const item = (id: number, note: string | null = null) => createStruct(ITEM, { id, note });
/** A record's value without a schema. */
export const json = (value: Value) => ({ schema: null, value });

const TOMBSTONE = json(null);
const MODES = {
  insert: { "insert.mode": "insert" },
  upsert: { "insert.mode": "upsert", "pk.mode": "record_key" },
  "exactly once": { "insert.mode": "insert", "exactly.once.enabled": "true" },
} as const;
const MIRROR = {
  "auto.create": "true",
  "insert.mode": "upsert",
  "pk.mode": "record_key",
  "delete.enabled": "true",
} as const;

/** Opens the sink on a database, with a place for the records that it refuses. */
export const openSink = (definition: SinkDefinition, database: SqlDatabase, config: Readonly<Record<string, string>>) =>
  openSinkRun(definition, {
    config: { "connection.url": `jdbc:${database.url}`, ...config },
    errantRecords: true,
  });

/** Declares the tests that every SQL sink passes, on the server of the describe block that they stand in. */
export function sqlSinkSuite(dialect: SinkOfDialect, server: () => SqlServer): void {
  for (const [mode, config] of Object.entries(MODES)) {
    describe(`by ${mode}, acceptance`, { concurrency: 4 }, () => {
      const cases = sinkAcceptance({
        definition: dialect.definition,
        module: dialect.module,
        repeats: mode === "insert" ? "duplicates" : "absorbs",
        items: 6,
        poisoned: { outcome: "fails", tells: /constraint/i },
        notApplicable: NOT_APPLICABLE[`mysql-sink and postgres-sink${mode === "insert" ? ", insert.mode=insert" : ""}`],
        misconfigurations: [
          { change: { "connection.url": undefined }, key: "connection.url", message: /./ },
          ...wrongUrlsOf(dialect),
          { change: { "insert.mode": "upsert", "pk.mode": "none" }, key: "pk.mode", message: /needs a key/ },
          {
            change: { "delete.enabled": "true", "pk.mode": "none" },
            key: "pk.mode",
            message: /needs pk.mode=record_key/,
          },
          { change: { "batch.size": "0" }, key: "batch.size", message: /at least 1/ },
        ],
        openSystem: () => openItems(dialect, server(), { mode, config }),
      });
      for (const each of cases) it(each.name, each.run);
    });
  }

  describe("tables and rows", () => tablesAndRows(dialect, server));

  it("moves records from Kafka in a worker, each once, though the worker is killed", { timeout: 560_000 }, () =>
    survivesKill(dialect, server()),
  );
}

async function openItems(
  dialect: SinkOfDialect,
  server: SqlServer,
  { mode, config }: { readonly mode: string; readonly config: Readonly<Record<string, string>> },
) {
  const database = await server.createDatabase();
  await database.run(
    "CREATE TABLE items (place serial PRIMARY KEY, id integer, note varchar(20) CHECK (note <> 'bad'))",
  );
  await database.run("CREATE UNIQUE INDEX pair ON items (id, place)");
  const watcher = await database.connect();
  const count = async (statement: string) => Number((await watcher.rows(statement))[0]?.["count"]);
  if (mode === "upsert") await database.run("CREATE UNIQUE INDEX one ON items (id)");
  return {
    config: { "connection.url": database.url, "table.name.format": "items", ...config },
    outage: database.outage,
    stall: {
      begin: () => database.run(dialect.lock.begin(["items"])),
      end: () => database.run(dialect.lock.end),
      waiting: async () => (await count(dialect.lock.waiting)) > 0,
    },
    // But for the test's own.
    connections: async () => (await count(dialect.sessions)) - 2,
    item: (n: number) => ({ key: key(n), value: item(n) }),
    poison: () => ({ key: key(-1), value: item(-1, "bad") }),
    contents: async () => (await database.rows("SELECT id FROM items ORDER BY place")).map(({ id }) => Number(id)),
    close: () => database.close(),
  };
}

function tablesAndRows(dialect: SinkOfDialect, server: () => SqlServer): void {
  const { quote } = dialect;
  let database: SqlDatabase;
  before(async () => {
    database = await server().createDatabase();
  });
  after(() => database.close());
  const open = (config: Readonly<Record<string, string>>) => openSink(dialect.definition, database, config);

  it("creates tables from schemas, and takes every type", async () => {
    const types = Object.entries(dialect.types);
    const schema = structSchema(Object.fromEntries(types.map(([name, [each]]) => [name, each])));
    const value = createStruct(schema, Object.fromEntries(types.map(([name, [, each]]) => [name, each])));
    const columns = types.map(([name]) => `${dialect.readBack(name)} AS ${quote(name)}`);
    // By one statement of its own, and by what a sink has for many.
    for (const count of [1, 60]) {
      const table = `types_${count}`;
      const sink = await open({ "auto.create": "true", "table.name.format": table, "pk.mode": "kafka" });
      await sink.put(Array.from({ length: count }, (_, index) => sinkRecord({ offset: BigInt(index), value })));
      await sink.close();
      assert.deepEqual(sink.errants, []);
      const rows = await database.rows(`SELECT ${columns.join(", ")} FROM ${table} ORDER BY __connect_offset`);
      assert.equal(rows.length, count);
      assert.deepEqual(rows.at(-1), Object.fromEntries(types.map(([name, [, , read]]) => [name, read])));
    }
  });

  it("upserts, deletes by tombstones and keeps the order of changes of a row", async () => {
    const sink = await open({ ...MIRROR, "table.name.format": `${dialect.schemaIn(database)}.$\{topic}` });
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
        sinkRecord({ offset: BigInt(index), key: key(id), value: note === null ? TOMBSTONE : item(id, note) }),
      ),
    );
    assert.deepEqual(await database.rows("SELECT * FROM topic ORDER BY id"), [
      { id: 1, note: "c" },
      { id: 3, note: "e" },
    ]);
    await sink.close();
  });

  it("passes over tombstones while there is no table that could have their rows", async () => {
    const sink = await open({ ...MIRROR, "table.name.format": "unborn" });
    await sink.put([sinkRecord({ offset: 0n, key: key(1), value: TOMBSTONE })]);
    await sink.put([
      sinkRecord({ offset: 1n, key: key(1), value: TOMBSTONE }),
      sinkRecord({ offset: 2n, key: key(2), value: item(2, "b") }),
      sinkRecord({ offset: 3n, key: key(3), value: item(3, "c") }),
      sinkRecord({ offset: 4n, key: key(2), value: TOMBSTONE }),
    ]);
    await sink.close();
    assert.deepEqual(sink.errants, []);
    assert.deepEqual(await database.rows("SELECT * FROM unborn"), [{ id: 3, note: "c" }]);
  });

  it("keeps keys apart that differ in capitals only, and deletes by keys of several columns", async () => {
    const schema = structSchema({ part: INT32_SCHEMA, name: STRING_SCHEMA });
    const keyOf = (name: string) => createStruct(schema, { part: 1, name });
    const sink = await open({ ...MIRROR, "table.name.format": "named" });
    await sink.put(
      ["a", "A", "b", "B"].map((name, id) =>
        sinkRecord({ offset: BigInt(id), key: keyOf(name), value: item(id, name) }),
      ),
    );
    await sink.put(
      ["A", "b"].map((name, id) => sinkRecord({ offset: BigInt(4 + id), key: keyOf(name), value: TOMBSTONE })),
    );
    await sink.close();
    assert.deepEqual(await database.rows("SELECT name, id FROM named ORDER BY id"), [
      { name: "a", id: 0 },
      { name: "B", id: 3 },
    ]);
  });

  it("adds columns where it may, within a batch as well, and refuses records where it may not", async () => {
    await database.run("CREATE TABLE evolving (ID integer)");
    const strict = await open({ "table.name.format": "evolving" });
    await strict.put([sinkRecord({ offset: 0n, value: item(1, "x") })]);
    assert.match(String(strict.errants[0]?.error), /no column note, and auto.evolve is false/);
    await strict.close();
    const sink = await open({ "table.name.format": "evolving", "auto.evolve": "true" });
    const more = structSchema({ id: INT32_SCHEMA, note: OPTIONAL_STRING_SCHEMA, size: INT64_SCHEMA });
    await sink.put([
      sinkRecord({ offset: 0n, value: item(1, "x") }),
      sinkRecord({ offset: 1n, value: createStruct(more, { id: 2, note: null, size: 7n }) }),
    ]);
    assert.deepEqual(sink.errants, []);
    assert.deepEqual(await database.rows("SELECT id AS id, note, size FROM evolving ORDER BY id"), [
      { id: 1, note: "x", size: null },
      { id: 2, note: null, size: "7" },
    ]);
    await sink.close();
  });

  it("leaves no row, and no position, of a batch that fails as its table has been changed for it", async () => {
    await database.run("CREATE TABLE halves (id integer, note varchar(3))");
    const sink = await openSinkRun(dialect.definition, {
      config: {
        "connection.url": database.url,
        "table.name.format": "halves",
        "auto.evolve": "true",
        "exactly.once.enabled": "true",
        "offsets.table": "halves_offsets",
      },
    });
    const more = structSchema({ id: INT32_SCHEMA, note: STRING_SCHEMA, size: INT64_SCHEMA });
    const records = [
      sinkRecord({ offset: 0n, value: item(1, "ok") }),
      sinkRecord({ offset: 1n, value: createStruct(more, { id: 2, note: "too long", size: 7n }) }),
    ];
    await assert.rejects(sink.put(records), dialect.messages.tooLong);
    assert.deepEqual(await database.rows("SELECT id FROM halves"), []);
    assert.deepEqual(await database.rows("SELECT next_offset FROM halves_offsets WHERE next_offset > 0"), []);
    await sink.close();
  });

  it("writes the key and the fields that are listed, and no others", async () => {
    const sink = await open({
      "auto.create": "true",
      "table.name.format": "listed",
      "insert.mode": "upsert",
      "pk.mode": "record_key",
      "fields.whitelist": "note",
    });
    const wide = structSchema({ note: OPTIONAL_STRING_SCHEMA, size: INT64_SCHEMA });
    await sink.put([sinkRecord({ offset: 0n, key: key(1), value: createStruct(wide, { note: "x", size: 7n }) })]);
    await sink.close();
    assert.deepEqual(await database.rows("SELECT * FROM listed"), [{ id: 1, note: "x" }]);
  });

  it("updates rows that are there, and takes schemaless records", async () => {
    await database.run(`CREATE TABLE stock (id integer PRIMARY KEY, amount numeric(10, 2), more ${dialect.json});
      INSERT INTO stock VALUES (1, 1, null)`);
    const sink = await open({
      "table.name.format": "stock",
      "insert.mode": "update",
      "pk.mode": "record_value",
      "pk.fields": "id",
    });
    await sink.put(
      [1, 2].map((id) => sinkRecord({ offset: BigInt(id), value: json({ id, amount: 2.5, more: { a: [1] } }) })),
    );
    await sink.close();
    const [row, ...others] = await database.rows("SELECT id, amount, more FROM stock");
    const { more, ...rest } = row ?? {};
    assert.deepEqual([rest, others], [{ id: 1, amount: "2.50" }, []]);
    assert.deepEqual(typeof more === "string" ? JSON.parse(more) : more, { a: [1] });
  });

  it("keeps names and values that are no SQL, whatever is in them, and zeros in columns that count", async () => {
    const [table, column, value] = ["o\"d`d'", "we\"i`rd'; drop", "\\'; DROP TABLE x; --"] as const;
    await database.run(`CREATE TABLE ${quote(table)} (id ${dialect.counter}, ${quote(column)} varchar(50))`);
    const sink = await open({ "table.name.format": table });
    await sink.put([sinkRecord({ offset: 0n, value: json({ id: 0, [column]: value }) })]);
    assert.deepEqual(await database.rows(`SELECT * FROM ${quote(table)}`), [{ id: 0, [column]: value }]);
    await sink.close();
  });

  it("hands over a record for which there is no partition", async () => {
    await database.run(dialect.partitioned("parts"));
    const sink = await open({ "table.name.format": "parts" });
    await sink.put([1, 10, 2].map((id, offset) => sinkRecord({ offset: BigInt(offset), value: json({ id }) })));
    await sink.close();
    assert.deepEqual(
      sink.errants.map(({ record }) => record.offset),
      [1n],
    );
    assert.match(String(sink.errants[0]?.error), dialect.messages.noPartition);
    assert.deepEqual(await database.rows("SELECT id FROM parts ORDER BY id"), [{ id: 1 }, { id: 2 }]);
  });

  it("notices a server that has vanished", async () => {
    await database.run("CREATE TABLE quiet (id integer)");
    const sink = await open({ "table.name.format": "quiet" });
    await sink.put([sinkRecord({ offset: 0n, value: json({ id: 1 }) })]);
    const port = Number(new URL(database.url).port);
    await until(60_000, "the kernel asks some time", () => keepAliveSeconds(port) <= 60);
    await sink.close();
  });
}

async function survivesKill({ connectorClass, ...dialect }: SinkOfDialect, server: SqlServer): Promise<void> {
  const worker = await openPluginWorker(dialect.package);
  const database = await server.createDatabase();
  try {
    await database.run("CREATE TABLE moved (id integer, note varchar(20))");
    const topic = uniqueName(dialect.package);
    const lines = (from: number) =>
      Array.from({ length: 100 }, (_, index) => JSON.stringify({ id: from + index, note: "n" }));
    const count = async () => {
      const [row] = await database.rows("SELECT count(*) AS total, count(DISTINCT id) AS ids FROM moved");
      return { total: Number(row?.["total"]), ids: Number(row?.["ids"]) };
    };
    await worker.write(topic, lines(0));
    await worker.start(uniqueName("rows"), {
      "connector.class": connectorClass,
      "connection.url": database.url,
      "table.name.format": "moved",
      "exactly.once.enabled": "true",
      topics: topic,
      "offset.flush.interval.ms": "60000",
    });
    await until(120_000, "100 rows", async () => (await count()).ids === 100);
    await worker.killAndRestart();
    await worker.write(topic, lines(100));
    await until(120_000, "200 rows", async () => (await count()).ids === 200);
    assert.deepEqual(await count(), { total: 200, ids: 200 });
  } finally {
    await worker.close();
    await database.close();
  }
}
