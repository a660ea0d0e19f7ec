import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { SourceDefinition, SourceRecord, Value } from "@headrace/sdk";
import { createMemoryOffsets, openSourceRun, sourceAcceptance, until } from "@headrace/sdk/testing";
import { uniqueName } from "#support/kafka.ts";
import { NOT_APPLICABLE } from "#support/not-applicable.ts";
import { openPluginWorker } from "#support/plugin-worker.ts";
import { type SqlDialect, wrongUrlsOf } from "./sql-dialect.ts";
import type { SqlDatabase, SqlServer } from "./sql-server.ts";

/** A query source of a SQL database, and what is its own. */
export interface QuerySourceOfDialect extends SqlDialect {
  readonly definition: SourceDefinition;
  /** URL of the module that exports it. */
  readonly module: string;
  /** What is written as `connector.class` in a worker. */
  readonly connectorClass: string;
  /** Two values that choose the tables `a` and `b`. */
  readonly chosen: { readonly "table.whitelist": string; readonly "table.include.list": string };
  /** The setting that names the schema whose tables are read. */
  readonly schemaPattern: "catalog.pattern" | "schema.pattern";
  /** The statement that makes a table with `id`, which counts, the moments `at` and `changed`, which admits NULL, and one more column. */
  items(table: string): string;
  /** Puts row `n` into it, `at` a moment that rises by 1.001 ms; poison: with a value that has no counterpart in Connect. */
  insert(table: string, n: number, poison: boolean): string;
  /** What an error has of such a value, and which rows have it. */
  readonly unreadable: RegExp;
  readonly unreadableRow: string;
  /** What a table is refused with in which no column counts. */
  readonly uncounted: RegExp;
}

const modesOf = ({ chosen }: QuerySourceOfDialect) => ({
  incrementing: { mode: "incrementing", "table.whitelist": chosen["table.whitelist"] },
  timestamp: {
    mode: "timestamp",
    "timestamp.column.name": "at",
    "table.include.list": chosen["table.include.list"],
  },
  both: {
    mode: "timestamp+incrementing",
    "timestamp.column.name": "changed,at",
    "incrementing.column.name": "id",
    "table.blacklist": "other",
  },
  bulk: { mode: "bulk", "table.whitelist": chosen["table.whitelist"] },
  query: { mode: "incrementing", "incrementing.column.name": "a.id", query: "SELECT * FROM a WHERE id > 0" },
});

/** Opens the source on a database. */
export async function openSource(
  definition: SourceDefinition,
  database: SqlDatabase,
  {
    config,
    offsets = createMemoryOffsets(),
    maxTasks = 1,
  }: {
    readonly config: Readonly<Record<string, string>>;
    readonly offsets?: ReturnType<typeof createMemoryOffsets>;
    readonly maxTasks?: number;
  },
) {
  return await openSourceRun(definition, {
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

/** Declares the tests that every SQL query source passes, on the server of the describe block that they stand in. */
export function sqlQuerySourceSuite(dialect: QuerySourceOfDialect, server: () => SqlServer): void {
  for (const [name, mode] of Object.entries(modesOf(dialect))) {
    describe(`by ${name}, acceptance`, { concurrency: 4 }, () => {
      const cases = sourceAcceptance({
        definition: dialect.definition,
        module: dialect.module,
        ...(name === "bulk" ? { gives: "rounds", resumes: "anew" } : { resumes: "offsets" }),
        maxBatch: 4,
        items: 6,
        poisoned: { outcome: "fails", tells: dialect.unreadable },
        ...((name === "bulk" || name === "timestamp") && {
          notApplicable: NOT_APPLICABLE[`mysql-query-source and postgres-query-source, mode=${name}`],
        }),
        misconfigurations: [
          { change: { "topic.prefix": undefined }, key: "topic.prefix", message: /./ },
          // A query may name the databases of its tables itself.
          ...wrongUrlsOf(dialect, { query: "" }),
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
          { partition: { query: "query" }, offset: { incrementing: "x" } },
          { partition: { protocol: "1", table: "d.a" }, offset: { incrementing: "x" } },
        ],
        openSystem: () => openItems(dialect, server(), mode),
      });
      for (const each of cases) it(each.name, each.run);
    });
  }

  describe("records", () => recordsOf(dialect, server));

  it(
    "reads every row in a worker that is killed again and again, while transactions write and commit in another order",
    { timeout: 560_000 },
    () => survivesKill(dialect, server()),
  );
}

async function openItems(dialect: QuerySourceOfDialect, server: SqlServer, mode: Readonly<Record<string, string>>) {
  const database = await server.createDatabase();
  for (const table of ["a", "b", "other"]) await database.run(dialect.items(table));
  const tables = "query" in mode ? ["a"] : ["a", "b"];
  const watcher = await database.connect();
  const count = async (statement: string) => Number((await watcher.rows(statement))[0]?.["count"]);
  const rows = new Map<string, number>();
  let fed = 0;
  /** Says which row of the table it is. */
  async function insert(table: string, poison: boolean): Promise<string> {
    fed += 1;
    rows.set(table, (rows.get(table) ?? 0) + 1);
    await database.run(dialect.insert(table, fed, poison));
    return `${table} ${rows.get(table)}`;
  }
  const last = tables.at(-1) ?? "";
  return {
    config: {
      "connection.url": database.url,
      "topic.prefix": "t-",
      "batch.max.rows": "4",
      "poll.interval.ms": "20",
      ...mode,
    },
    outage: database.outage,
    stall: {
      begin: () => database.run(dialect.lock.begin(tables)),
      end: () => database.run(dialect.lock.end),
      waiting: async () => (await count(dialect.lock.waiting)) > 0,
    },
    // But for the test's own.
    connections: async () => (await count(dialect.sessions)) - 2,
    // A query has no table's name.
    identify: (record: SourceRecord) => `${record.topic.slice("t-".length) || "a"} ${idOf(record)}`,
    async feed(wanted: number) {
      const names: string[] = [];
      while (names.length < wanted) names.push(await insert(tables[fed % tables.length] ?? "", false));
      return names;
    },
    poison: async () => void (await insert(last, true)),
    cure: () => database.run(`DELETE FROM ${last} WHERE ${dialect.unreadableRow}`),
    close: () => database.close(),
  };
}

function recordsOf(dialect: QuerySourceOfDialect, server: () => SqlServer): void {
  let database: SqlDatabase;
  before(async () => {
    database = await server().createDatabase();
  });
  after(() => database.close());

  const open = (config: Readonly<Record<string, string>>, more: Partial<Parameters<typeof openSource>[2]> = {}) =>
    openSource(dialect.definition, database, { config, ...more });

  it("come all again in each round in mode bulk", async () => {
    await database.run("CREATE TABLE small (id integer, note varchar(9)); INSERT INTO small (id) VALUES (1), (2), (3)");
    const run = await open({ mode: "bulk", "table.whitelist": "small", "batch.max.rows": "2" });
    const records = await run.take(7);
    await run.close();
    assert.deepEqual(records.slice(0, 7).map(idOf), [1, 2, 3, 1, 2, 3, 1]);
    const config = { mode: "bulk", "table.whitelist": "small", "query.suffix": "ORDER BY id DESC LIMIT 1" };
    const last = await open(config);
    assert.deepEqual((await last.take(2)).slice(0, 2).map(idOf), [3, 3]);
    await last.close();
  });

  it("are of the kinds of tables and from the time that are asked for, and of none that is left out", async () => {
    await database.run("CREATE SCHEMA picked");
    for (const table of ["kept", "dropped"]) {
      await database.run(`CREATE TABLE picked.${table} (id integer, at ${dialect.moment} NOT NULL)`);
      await database.run(`INSERT INTO picked.${table} VALUES (1, '2020-01-01'), (2, '2020-01-03')`);
    }
    await database.run("CREATE VIEW picked.seen AS SELECT * FROM picked.kept");
    const run = await open({
      mode: "timestamp",
      "timestamp.column.name": "at",
      "timestamp.initial": String(Date.UTC(2020, 0, 2)),
      [dialect.schemaPattern]: "picked",
      "table.types": "TABLE,VIEW",
      "table.exclude.list": ".*dropped",
      "validate.non.null": "false",
    });
    const records = await run.take(2);
    await run.close();
    assert.deepEqual(records.map(({ topic }) => topic).toSorted(), ["db.kept", "db.seen"]);
    assert.deepEqual(records.map(idOf), [2, 2]);
  });

  it("are many and large, and come whole and in order while the server waits for each batch", async () => {
    await database.run(`CREATE TABLE heavy (id ${dialect.counter}, note text);
      INSERT INTO heavy (note) SELECT REPEAT('x', 20000) FROM ${dialect.series(2_000)}`);
    const run = await open({ mode: "incrementing", "table.whitelist": "heavy", "batch.max.rows": "50" });
    const records = await run.take(2_000);
    await run.close();
    assert.deepEqual(
      records.map(idOf),
      Array.from({ length: 2_000 }, (_, index) => index + 1),
    );
  });

  it("of changed rows come by their timestamp, and those that share one are never passed over", async () => {
    await database.run(`CREATE TABLE shared (id integer PRIMARY KEY, at ${dialect.moment} NOT NULL);
      INSERT INTO shared SELECT seq, '2020-01-01' FROM ${dialect.series(5)}; INSERT INTO shared VALUES (6, '2020-01-02')`);
    const config = {
      mode: "timestamp",
      "timestamp.column.name": "at",
      "table.whitelist": "shared",
      "batch.max.rows": "2",
    };
    for (let kept = 1; kept <= 6; kept += 1) {
      const offsets = createMemoryOffsets();
      const first = await open(config, { offsets });
      const before = (await first.take(6)).slice(0, kept);
      await first.acknowledge(before);
      await first.close();
      await database.run("UPDATE shared SET at = at + INTERVAL '10' DAY WHERE id = 6");
      const again = await open(config, { offsets });
      const seen = new Set<Value>();
      while (!seen.has(6)) for (const record of await again.take(1)) seen.add(idOf(record));
      await again.close();
      assert.deepEqual(new Set([...before.map(idOf), ...seen]), new Set([1, 2, 3, 4, 5, 6]), `after ${kept}`);
    }
  });

  it("of a transaction that commits late are seen if they are younger than the delay", async () => {
    await database.run(`CREATE TABLE late (id integer PRIMARY KEY, at ${dialect.moment} NOT NULL)`);
    const slow = await database.connect();
    await slow.run("BEGIN");
    await slow.run("INSERT INTO late VALUES (1, CURRENT_TIMESTAMP - INTERVAL '1' MINUTE)");
    await database.run("INSERT INTO late VALUES (2, CURRENT_TIMESTAMP), (3, CURRENT_TIMESTAMP - INTERVAL '1' HOUR)");
    const run = await open({
      mode: "timestamp+incrementing",
      "timestamp.column.name": "late.at",
      "incrementing.column.name": "id",
      "timestamp.delay.interval.ms": "600000",
      query: "SELECT id, at FROM late; ",
    });
    // The row that is committed and older than the delay comes; the younger one would hide that of the slow transaction.
    assert.deepEqual((await run.take(1)).map(idOf), [3]);
    await slow.run("COMMIT");
    await database.run("UPDATE late SET at = at - INTERVAL '20' MINUTE WHERE id < 3");
    const rest = await run.take(2);
    await run.close();
    assert.deepEqual(rest.map(idOf), [1, 2]);
    assert.deepEqual([rest[0]?.topic, rest[0]?.sourcePartition], ["db.", { query: "query" }]);
  });

  it("are shared out to tasks by tables, also those that come later", async () => {
    const make = async (table: string) => {
      await database.run(`CREATE TABLE apart.${dialect.quote(table)} (id ${dialect.counter})`);
      await database.run(`INSERT INTO apart.${dialect.quote(table)} VALUES (1), (2)`);
    };
    await database.run("CREATE SCHEMA apart");
    for (const table of ["P", "q"]) await make(table);
    await database.run(dialect.partitioned("apart.parts"));
    await database.run("INSERT INTO apart.parts VALUES (1), (2)");
    await database.run("CREATE VIEW apart.v AS SELECT * FROM apart.q");
    const run = await open(
      { mode: "incrementing", [dialect.schemaPattern]: "apart", "table.poll.interval.ms": "20" },
      { maxTasks: 2 },
    );
    assert.equal(run.tasks, 2);
    const topics = new Set((await run.take(6)).map(({ topic }) => topic));
    assert.deepEqual(topics, new Set(["db.P", "db.q", "db.parts"]));
    await make("s");
    await until(60_000, "tasks are planned anew", () => run.reconfigurations() > 0);
    await run.close();
  });

  it("are none of a table whose column admits NULL, or which has none that counts", async () => {
    await database.run("CREATE TABLE loose (id integer); INSERT INTO loose VALUES (1), (NULL)");
    const uncounted = await open({ mode: "incrementing", "table.whitelist": "loose" });
    await assert.rejects(uncounted.take(1), dialect.uncounted);
    await uncounted.close();
    const config = { mode: "incrementing", "incrementing.column.name": "id", "table.whitelist": "loose" };
    const strict = await open(config);
    await assert.rejects(strict.take(1), /column id of loose admits NULL/);
    await strict.close();
    const run = await open({ ...config, "validate.non.null": "false" });
    assert.deepEqual((await run.take(1)).map(idOf), [1]);
    await run.close();
  });
}

/** Longer than any transaction of the writers is to last; rows of one that lasted longer all the same are owed by nobody. */
const DELAY_MS = 10_000;
/** Transactions that are open at a time. */
const OPEN = 4;
const KILLS = 3;
/** From one commit to the next. Without a delay a row is read once the second of its timestamp is over. */
const HOLD_MS = 750;
/** Sessions that write at the same time, for each open transaction. */
const GROUPS = 3;

/**
 * Two connectors read what is written all the while: by a counter rows of one session, by timestamps with a delay those of transactions that commit
 * in the reverse order of their numbers.
 */
async function survivesKill(dialect: QuerySourceOfDialect, server: SqlServer): Promise<void> {
  const worker = await openPluginWorker(dialect.package);
  const database = await server.createDatabase();
  let writing = true;
  const written: Promise<void>[] = [];
  try {
    await database.run(`CREATE TABLE counted (id ${dialect.counter}, note varchar(20))`);
    await database.run(`CREATE TABLE stamped (id ${dialect.counter}, at ${dialect.moment} NOT NULL, round integer)`);
    const prefix = `${uniqueName("query")}-`;
    const shared = {
      "connector.class": dialect.connectorClass,
      "connection.url": database.url,
      "topic.prefix": prefix,
      "incrementing.column.name": "id",
      "poll.interval.ms": "50",
      "batch.max.rows": "10",
    };
    await worker.start(uniqueName("counted"), { ...shared, mode: "incrementing", "table.whitelist": "counted" });
    await worker.start(uniqueName("stamped"), {
      ...shared,
      mode: "timestamp+incrementing",
      "timestamp.column.name": "at",
      "timestamp.delay.interval.ms": String(DELAY_MS),
      "table.whitelist": "stamped",
    });

    const late = new Set<number>();
    let outOfOrder = 0;
    const writeCounted = async () => {
      const session = await database.connect();
      while (writing) {
        await session.run("INSERT INTO counted (note) VALUES ('n'), ('n')");
        await sleep(10);
      }
    };
    const writeStamped = async (group: number) => {
      const sessions = await Promise.all(Array.from({ length: OPEN }, () => database.connect()));
      for (let round = group; writing; round += GROUPS) {
        const begun = performance.now();
        for (const session of sessions) {
          await session.run("BEGIN");
          await session.run(`INSERT INTO stamped (at, round) VALUES (CURRENT_TIMESTAMP, ${round})`);
        }
        for (const session of sessions.toReversed()) {
          // Those that have committed are old enough to be read without the delay, and would hide the others.
          await sleep(HOLD_MS);
          await session.run("COMMIT");
        }
        if (performance.now() - begun > DELAY_MS) late.add(round);
        else outOfOrder += 1;
      }
    };
    written.push(writeCounted(), ...Array.from({ length: GROUPS }, (_, group) => writeStamped(group)));

    const inKafka = async (table: string) => {
      const lines = await worker.read(`${prefix}${table}`, 1);
      return new Set(lines.map((line) => (JSON.parse(line) as { readonly id: number }).id));
    };
    for (let kill = 0; kill < KILLS; kill += 1) {
      for (const table of ["counted", "stamped"]) {
        const { length } = kill === 0 ? [] : await worker.read(`${prefix}${table}`, 1);
        await worker.read(`${prefix}${table}`, length + 1, 120_000);
      }
      await worker.killAndRestart();
    }
    writing = false;
    await Promise.all(written);

    assert.ok(outOfOrder > KILLS, `${outOfOrder} rounds of transactions`);
    for (const table of ["counted", "stamped"]) {
      const rows = await database.rows(`SELECT * FROM ${table}`);
      const owed = rows.filter(({ round }) => !late.has(Number(round))).map(({ id }) => Number(id));
      let missing = owed;
      await until(150_000, `${owed.length} rows of ${table} in Kafka`, async () => {
        const have = await inKafka(table);
        missing = owed.filter((id) => !have.has(id));
        // Newer rows are there already: what is missing then was passed over.
        const newest = Math.max(...have);
        assert.deepEqual(
          missing.filter((id) => id < newest - OPEN * GROUPS),
          [],
          "rows that were passed over",
        );
        return missing.length === 0;
      });
    }
  } finally {
    writing = false;
    await Promise.allSettled(written);
    await worker.close();
    await database.close();
  }
}
