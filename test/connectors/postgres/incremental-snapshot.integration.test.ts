import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { SourceRecord, Value } from "@headrace/sdk";
import { createMemoryOffsets, until } from "@headrace/sdk/testing";
import { eventOf, linesOf, type Plain, plain, streaming, takeUntil, withDatabase } from "./capture-run.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

const SIGNALS = "CREATE TABLE signals (id text PRIMARY KEY, type text NOT NULL, data text);";
const CONFIG = {
  "snapshot.mode": "no_data",
  "signal.data.collection": "public.signals",
  "table.include.list": "public[.](a|b|empty|loose)",
  "publication.autocreate.mode": "filtered",
  "incremental.snapshot.chunk.size": "25",
};

const execute = (...tables: readonly string[]) => signal("execute-snapshot", { "data-collections": tables });
let signals = 0;
function signal(type: string, data: object): string {
  signals += 1;
  return `INSERT INTO signals VALUES ('${signals}', '${type}', '${JSON.stringify(data)}')`;
}

/** What a consumer knows of a table: the last event of each key counts. */
class Copy {
  readonly rows = new Map<string, Plain>();
  /** Rows that came by an incremental snapshot, how often. */
  readonly read = new Map<string, number>();

  apply(records: readonly SourceRecord[]): void {
    for (const record of records) {
      const event = eventOf(record);
      const key = JSON.stringify(Object.values(plain(record.key?.value)).map(String));
      if (event === null || event.op === "d") this.rows.delete(key);
      else this.rows.set(key, plain(event.after));
      if (event?.op !== "r") continue;
      assert.equal(event.source["snapshot"], "incremental");
      this.read.set(key, (this.read.get(key) ?? 0) + 1);
    }
  }
}

const ids = (rows: Iterable<Plain>) => [...rows].map((row) => Number(row["id"])).toSorted((a, b) => a - b);

describe("incremental snapshots of PostgreSQL", { concurrency: 3 }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  it("give each row in its newest state, while all of them change, the task is killed and its connection is cut", () =>
    withDatabase(
      server,
      `${SIGNALS} CREATE TABLE a (part text, id int, n int NOT NULL, PRIMARY KEY (part, id));
       INSERT INTO a SELECT CASE WHEN i % 3 = 0 THEN 'x''"' ELSE 'y' END, i, 0 FROM generate_series(1, 600) i`,
      async ({ database, query, open }) => {
        const offsets = createMemoryOffsets();
        const copy = new Copy();
        let run = await open(CONFIG, offsets);
        const first = run.take(1);
        await streaming(run);
        await query(execute("public.a"));
        let writing = true;
        const writer = (async () => {
          for (let round = 1; writing; round += 1) {
            const id = (round * 37) % 600;
            await query(
              `BEGIN; UPDATE a SET n = n + 1 WHERE id = ${id}; DELETE FROM a WHERE id = ${(round * 101) % 600} AND id % 7 = 0;
               INSERT INTO a VALUES ('y', ${1_000 + round}, ${round}); COMMIT`,
            );
          }
        })();
        const records = await first;
        copy.apply(records);
        await run.acknowledge(records);
        await takeUntil(run, copy, () => copy.read.size > 100);
        // Taken, and seen by nobody.
        await run.take(30);
        await run.close();
        run = await open(CONFIG, offsets);
        await takeUntil(run, copy, () => copy.read.size > 250);
        await database.outage.begin();
        await database.outage.end();
        await takeUntil(run, copy, () => linesOf(run, "a table was read").length > 0);
        writing = false;
        await writer;
        await query("INSERT INTO a VALUES ('end', 0, 0)");
        await takeUntil(run, copy, () => copy.rows.has('["end","0"]'));
        const wanted = await query('SELECT part, id, n FROM a ORDER BY part COLLATE "C", id');
        const known = [...copy.rows.values()].toSorted(
          (one, other) =>
            Buffer.compare(Buffer.from(String(one["part"])), Buffer.from(String(other["part"]))) ||
            Number(one["id"]) - Number(other["id"]),
        );
        assert.deepEqual(known.map(toRow), wanted.map(toRow));
        assert.deepEqual(
          [...copy.read].filter(([, count]) => count > 1),
          [],
          "a row was read twice",
        );
      },
    ));

  it("can be paused, resumed, narrowed and stopped, and go on with the next table", () =>
    withDatabase(
      server,
      `${SIGNALS} CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE empty (id int PRIMARY KEY);
       CREATE TABLE loose (id int); INSERT INTO a SELECT generate_series(1, 200); INSERT INTO b SELECT generate_series(1, 30);
       INSERT INTO loose VALUES (1)`,
      async ({ query, open }) => {
        const offsets = createMemoryOffsets();
        const copy = new Copy();
        let run = await open(CONFIG, offsets);
        const first = run.take(1);
        await streaming(run);
        await query("INSERT INTO a VALUES (201)");
        copy.apply(await first);
        await run.acknowledge(await first);
        await query(signal("pause-snapshot", {}));
        await query(signal("log", { message: "a word from the database" }));
        await query(signal("dance", {}));
        await query("BEGIN");
        await query(execute("public.empty", "public.loose", "public.(a|c)", "public.nothing"));
        await query(signal("pause-snapshot", {}));
        await query("COMMIT");
        await query("INSERT INTO a VALUES (202)");
        await takeUntil(run, copy, () => copy.rows.has('["202"]'));
        assert.equal(copy.read.size, 0, "it is paused");
        for (const text of ["a word from the database", "cannot be followed", "no captured table has this name"])
          assert.equal(linesOf(run, text).length, 1, text);
        // The pause outlives the task.
        await run.close();
        run = await open(CONFIG, offsets);
        const more = run.take(1);
        await streaming(run);
        await query("INSERT INTO a VALUES (203)");
        copy.apply(await more);
        await run.acknowledge(await more);
        await takeUntil(run, copy, () => copy.rows.has('["203"]'));
        assert.equal(copy.read.size, 0, "it is paused still");
        await query(signal("resume-snapshot", {}));
        await takeUntil(run, copy, () => copy.read.size > 60);
        assert.equal(linesOf(run, "has no primary key").length, 1);
        await query(signal("stop-snapshot", { "data-collections": ["public.a"] }));
        await query(
          signal("execute-snapshot", {
            "data-collections": ["public.b"],
            "additional-conditions": [{ "data-collection": "public.b", filter: "id % 2 = 0" }],
          }),
        );
        const topics: string[] = [];
        let fromA = copy.read.size;
        const fromB: Value[] = [];
        while (fromB.length < 15) {
          const records = await run.take(1);
          for (const record of records) {
            topics.push(record.topic);
            if (record.topic === "db.public.a" && eventOf(record)?.op === "r") fromA += 1;
            if (record.topic === "db.public.b") fromB.push(plain(eventOf(record)?.after)["id"] ?? null);
          }
          await run.acknowledge(records);
        }
        assert.deepEqual(
          fromB,
          Array.from({ length: 15 }, (_, index) => 2 * (index + 1)),
        );
        assert.ok(!topics.includes("db.public.signals"), "signals are no events");
        await until(60_000, "the last table is done", async () => {
          await run.take(1, 100).catch(() => []);
          return linesOf(run, "a table was read").length >= 2;
        });
        // Not all of what was stopped has come.
        assert.ok(fromA < 203, `${fromA} rows`);
        assert.ok(ids(copy.rows.values()).includes(203));
      },
    ));

  it("wait for a table that is being rewritten, and read all of it then", () =>
    withDatabase(
      server,
      `${SIGNALS} CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a SELECT i, 0 FROM generate_series(1, 60) i`,
      async ({ database, query, open }) => {
        const run = await open(CONFIG);
        const copy = new Copy();
        const first = run.take(1);
        await streaming(run);
        const other = await database.connect();
        await other.run("BEGIN; ALTER TABLE a ALTER n TYPE bigint");
        await query(execute("public.a"));
        await until(60_000, "the table is waited for", async () => {
          const [row] = await query(
            "SELECT count(*)::int AS count FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass",
          );
          return row?.["count"] === 1;
        });
        await other.run("COMMIT");
        const records = await first;
        copy.apply(records);
        await run.acknowledge(records);
        await takeUntil(run, copy, () => linesOf(run, "a table was read").length > 0);
        assert.equal(copy.read.size, 60);
      },
    ));

  it("leave a table out whose condition cannot be evaluated, or is more than a condition, and go on", () =>
    withDatabase(
      server,
      `${SIGNALS} CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY);
       INSERT INTO a VALUES (1); INSERT INTO b VALUES (0); INSERT INTO c VALUES (3)`,
      async ({ query, open }) => {
        const run = await open({ ...CONFIG, "table.include.list": "public[.](a|b|c)" });
        const records = run.take(1);
        await streaming(run);
        const filters = { a: "true); COMMIT; DELETE FROM c; --", b: "1 / id > 0", c: "id = 3" };
        await query(
          signal("execute-snapshot", {
            "data-collections": Object.keys(filters).map((name) => `public.${name}`),
            "additional-conditions": Object.entries(filters).map(([name, filter]) => ({
              "data-collection": `public.${name}`,
              filter,
            })),
          }),
        );
        assert.deepEqual(
          (await records).map((record) => [record.topic, plain(eventOf(record)?.after)["id"]]),
          [["db.public.c", 3]],
        );
        assert.equal(linesOf(run, "its condition cannot be evaluated").length, 2);
      },
    ));
});

function toRow(row: Plain) {
  return [row["part"], Number(row["id"]), Number(row["n"])];
}
