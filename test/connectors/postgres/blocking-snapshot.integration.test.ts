import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { SourceRecord, Value } from "@headrace/sdk";
import { createMemoryOffsets, until } from "@headrace/sdk/testing";
import { eventOf, linesOf, type Plain, plain, streaming, takeUntil, withDatabase } from "./capture-run.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

const SIGNALS = "CREATE TABLE signals (id serial PRIMARY KEY, type text NOT NULL, data text);";
const CONFIG = {
  "snapshot.mode": "no_data",
  "signal.data.collection": "public.signals",
  "table.include.list": "public[.](a|b|c|empty|loose|done)",
  "publication.autocreate.mode": "filtered",
  "max.batch.size": "25",
};

interface Condition {
  readonly "data-collection": string;
  readonly filter: string;
}
function execute(tables: readonly string[], conditions: readonly Condition[] = []): string {
  const data = { type: "blocking", "data-collections": tables, "additional-conditions": conditions };
  return `INSERT INTO signals (type, data) VALUES ('execute-snapshot', '${JSON.stringify(data).replaceAll("'", "''")}')`;
}

const snapshotOf = (record: SourceRecord): Value => eventOf(record)?.source["snapshot"] ?? null;

/** What a consumer knows of the rows of all tables. A row that was read has to be what the events before it have made of it. */
class Copy {
  readonly rows = new Map<string, number>();
  readonly gone = new Set<string>();
  readonly marks: Value[] = [];
  /** By table, how often each row was read. */
  readonly read = new Map<string, Map<string, number>>();

  apply(records: readonly SourceRecord[]): void {
    for (const record of records) this.#apply(record);
  }

  #apply(record: SourceRecord): void {
    const event = eventOf(record);
    if (event === null) return;
    const row = plain(event.after ?? event.before);
    const table = String(event.source["table"]);
    const key = `${table} ${row["id"]}`;
    if (event.op === "d") {
      this.rows.delete(key);
      this.gone.add(key);
      return;
    }
    const n = Number(row["n"]);
    if (event.op === "r") {
      this.marks.push(event.source["snapshot"] ?? null);
      const read = this.read.get(table) ?? new Map<string, number>();
      this.read.set(table, read.set(key, (read.get(key) ?? 0) + 1));
      assert.ok(!this.gone.has(key), `${key} was read after it was deleted`);
      if (this.rows.has(key)) assert.equal(n, this.rows.get(key), `${key} is not what its events have said`);
    } else if (event.op === "u" && this.rows.has(key)) {
      assert.equal(n, (this.rows.get(key) ?? 0) + 1, `${key} has missed a change`);
    } else if (event.op === "c") {
      this.gone.delete(key);
    }
    this.rows.set(key, n);
  }

  count(table: string): number {
    return this.read.get(table)?.size ?? 0;
  }
}

describe("blocking snapshots of PostgreSQL", { concurrency: 3 }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  it("give each row as of one place of the stream, while all of them change, the task is killed and its connection is cut", () =>
    withDatabase(
      server,
      `${SIGNALS} CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL); CREATE TABLE b (id int PRIMARY KEY, n int NOT NULL);
       CREATE TABLE c (id int PRIMARY KEY, n int NOT NULL); CREATE TABLE done (id int PRIMARY KEY, n int NOT NULL);
       INSERT INTO a SELECT i, 0 FROM generate_series(1, 300) i; INSERT INTO b SELECT i, 0 FROM generate_series(1, 300) i;
       INSERT INTO c SELECT i, 0 FROM generate_series(1, 300) i`,
      async ({ database, query, open }) => {
        const offsets = createMemoryOffsets();
        const copy = new Copy();
        let run = await open(CONFIG, offsets);
        const first = run.take(1);
        await streaming(run);
        let writing = true;
        const writer = (async () => {
          for (let round = 1; writing; round += 1) {
            const id = (round * 37) % 300;
            const table = ["a", "b", "c"][round % 3];
            await query(
              `BEGIN; UPDATE ${table} SET n = n + 1 WHERE id = ${id}; DELETE FROM ${table} WHERE id = ${(round * 101) % 300} AND id % 7 = 0;
               INSERT INTO ${table} VALUES (${1_000 + round}, 0); COMMIT`,
            );
          }
        })();
        await query(execute(["public.(a|b|c)"]));
        const records = await first;
        copy.apply(records);
        await run.acknowledge(records);
        // Within the second table.
        await takeUntil(run, copy, () => copy.count("b") > 50);
        // Taken, and seen by nobody.
        await run.take(30);
        await run.close();
        const readOfA = new Map(copy.read.get("a"));
        run = await open(CONFIG, offsets);
        await takeUntil(run, copy, () => copy.count("c") > 50);
        await database.outage.begin();
        await database.outage.end();
        await takeUntil(run, copy, () => linesOf(run, "tables were read by a blocking snapshot").length > 0);
        writing = false;
        await writer;
        await query("INSERT INTO done VALUES (1, 0)");
        await takeUntil(run, copy, () => copy.rows.has("done 1"));
        const wanted = await query(
          "SELECT 'a ' || id AS key, n FROM a UNION ALL SELECT 'b ' || id, n FROM b UNION ALL SELECT 'c ' || id, n FROM c",
        );
        copy.rows.delete("done 1");
        assert.deepEqual(
          new Map([...copy.rows].toSorted()),
          new Map(wanted.map((row): [string, number] => [String(row["key"]), Number(row["n"])]).toSorted()),
        );
        assert.deepEqual(copy.read.get("a"), readOfA, "a table that was read to its end was read again");
        assert.equal(copy.marks.at(-1), "last");
      },
    ));

  it("take conditions and statements, tables without rows or key, and mark the first and the last row; nothing is left behind", () =>
    withDatabase(
      server,
      `${SIGNALS} CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int); CREATE TABLE empty (id int PRIMARY KEY);
       CREATE TABLE loose (id int, n int); INSERT INTO a SELECT i, 0 FROM generate_series(1, 5) i;
       INSERT INTO b SELECT i, 0 FROM generate_series(1, 5) i; INSERT INTO loose VALUES (1, 0), (1, 0)`,
      async ({ database, query, open }) => {
        const run = await open(CONFIG);
        const taking = run.take(7);
        await streaming(run);
        await query(
          execute(
            ["public.a", "public.b", "public.(empty|loose)", "public.nothing"],
            [
              { "data-collection": "public.a", filter: "SELECT * FROM public.a WHERE id > 3 ORDER BY id DESC;" },
              { "data-collection": "public.b", filter: "id <= 3" },
            ],
          ),
        );
        const records = [...(await taking)];
        await run.acknowledge(records);
        await query("INSERT INTO a VALUES (6, 0)");
        records.push(...(await run.take(1)));
        assert.deepEqual(
          records.map((record) => [record.topic, plain(eventOf(record)?.after)["id"], snapshotOf(record)]),
          [
            ["db.public.a", 5, "first"],
            ["db.public.a", 4, "last_in_data_collection"],
            ["db.public.b", 1, "first_in_data_collection"],
            ["db.public.b", 2, "true"],
            ["db.public.b", 3, "last_in_data_collection"],
            ["db.public.loose", 1, "first_in_data_collection"],
            ["db.public.loose", 1, "last"],
            ["db.public.a", 6, "false"],
          ],
        );
        assert.equal(linesOf(run, "no captured table has this name").length, 1);
        const slots = await query("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()");
        assert.deepEqual(
          slots.map((row) => row["slot_name"]),
          [database.name],
        );
      },
    ));

  const changes: readonly (readonly [string, string, number])[] = [
    ["rewritten", "ALTER TABLE b ALTER n TYPE bigint", 40],
    ["left without one of its columns", "ALTER TABLE b DROP COLUMN gone", 40],
    ["dropped", "DROP TABLE b", 0],
  ];
  for (const [what, statement, count] of changes) {
    it(`read a table that was ${what} before its turn as it is then`, () =>
      withDatabase(
        server,
        `${SIGNALS} CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int, gone int);
         CREATE TABLE done (id int PRIMARY KEY, n int);
         INSERT INTO a SELECT i, 0 FROM generate_series(1, 60) i; INSERT INTO b SELECT i, 0 FROM generate_series(1, 40) i`,
        async ({ query, open }) => {
          const run = await open(CONFIG);
          const copy = new Copy();
          const first = run.take(1);
          await streaming(run);
          await query(execute(["public.(a|b)"]));
          const records = await first;
          copy.apply(records);
          await run.acknowledge(records);
          await query(statement);
          await takeUntil(run, copy, () => linesOf(run, "tables were read by a blocking snapshot").length > 0);
          await query("INSERT INTO done VALUES (1, 0)");
          await takeUntil(run, copy, () => copy.rows.has("done 1"));
          assert.deepEqual(
            ["a", "b"].map((table) => copy.count(table)),
            [60, count],
          );
        },
      ));
  }

  it("read a table as each of several signals wants it, also if one comes while another waits for its place", () =>
    withDatabase(
      server,
      `${SIGNALS} CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a SELECT i, 0 FROM generate_series(1, 9) i`,
      async ({ database, query, open }) => {
        const run = await open(CONFIG);
        const taking = run.take(1);
        await streaming(run);
        // The first snapshot waits for this transaction, and the others come before its place.
        const other = await database.connect();
        await other.run("BEGIN; SELECT pg_current_xact_id()");
        const some = (filter: string) => execute(["public.a"], [{ "data-collection": "public.a", filter }]);
        await query(some("id <= 3"));
        await until(60_000, "a slot is waited for", async () => {
          const [row] = await query(
            "SELECT count(*)::int AS count FROM pg_replication_slots WHERE database = current_database()",
          );
          return row?.["count"] === 2;
        });
        await query(`BEGIN; ${some("id > 7")}; ${some("id > 8")}; COMMIT`);
        await other.run("COMMIT");
        const records = [...(await taking)];
        while (records.length < 6) records.push(...(await run.take(1)));
        assert.deepEqual(
          records.map((record) => plain(eventOf(record)?.after)["id"]),
          [1, 2, 3, 8, 9, 9],
        );
      },
    ));

  it("leave a table out whose statement cannot be followed, or is more than one, and read the others", () =>
    withDatabase(
      server,
      `${SIGNALS} CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int); CREATE TABLE c (id int PRIMARY KEY, n int);
       INSERT INTO a VALUES (1, 0); INSERT INTO b VALUES (0, 0); INSERT INTO c VALUES (3, 0), (4, 0)`,
      async ({ query, open }) => {
        const run = await open(CONFIG);
        const taking = run.take(3);
        await streaming(run);
        await query(
          execute(
            ["public.c", "public.a", "public.b"],
            [
              { "data-collection": "public.a", filter: "true); COMMIT; DELETE FROM c; --" },
              { "data-collection": "public.b", filter: "SELECT id, 1 / id AS n FROM b" },
            ],
          ),
        );
        await until(
          60_000,
          "all tables are done",
          () => linesOf(run, "its condition cannot be evaluated").length === 2,
        );
        await query("INSERT INTO c VALUES (5, 0)");
        assert.deepEqual(
          (await taking).map((record): Plain => ({ topic: record.topic, ...plain(eventOf(record)?.after) })),
          [3, 4, 5].map((id) => ({ topic: "db.public.c", id, n: 0 })),
        );
        assert.equal(linesOf(run, "its condition cannot be evaluated").length, 2);
      },
    ));
});
