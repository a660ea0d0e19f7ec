import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createMemoryOffsets, type SourceRun, until } from "@headrace/sdk/testing";
import { type CaptureTools, eventOf, linesOf, type Plain, plain, streaming, withDatabase } from "./capture-run.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

const DEADLINE_MS = 60_000;
const WATCH = { "slot.watch.interval.ms": "100" };

const metric = (run: SourceRun, name: string) => run.metrics[0]?.value(name) ?? Number.NaN;
const idsOf = (records: Awaited<ReturnType<SourceRun["take"]>>) =>
  records.map((record) => plain(eventOf(record)?.after)["id"]);
const fill = (query: CaptureTools["query"]) =>
  query("INSERT INTO other SELECT repeat(md5(i::text), 20) FROM generate_series(1, 4000) i");

/** A first reading of one row, acknowledged; then the stream is followed until a row of it was taken, which is given back. */
async function follow(run: SourceRun, query: CaptureTools["query"], id: number) {
  await run.acknowledge(await run.take(1));
  const taking = run.take(1);
  await streaming(run);
  await query(`INSERT INTO a VALUES (${id})`);
  const records = await taking;
  assert.deepEqual(idsOf(records), [id]);
  return records;
}

/** Polls and acknowledges until something holds. */
async function pollUntil(run: SourceRun, what: string, holds: () => boolean | Promise<boolean>): Promise<Plain[]> {
  const given: Plain[] = [];
  await until(DEADLINE_MS, what, async () => {
    const records = await run.take(1, 1_000).catch(() => []);
    for (const record of records) given.push({ topic: record.topic });
    await run.acknowledge(records);
    return await holds();
  });
  return given;
}

const SET_UP = "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE other (t text); INSERT INTO a VALUES (1)";
const CAPTURED = { "table.include.list": "public[.]a" };

describe("what PostgreSQL keeps for the slot", () => {
  let server: PostgresServer;
  before(async () => {
    // Segments of the log have 16 MiB.
    server = await startPostgres({
      settings: { max_slot_wal_keep_size: "160MB", max_wal_size: "32MB", min_wal_size: "32MB" },
    });
  });
  after(() => server.stop());

  it("is known, and too much of it is an alarm, while Kafka takes nothing; both are over when it does again", () =>
    withDatabase(server, SET_UP, async ({ query, open }) => {
      const run = await open({ ...WATCH, ...CAPTURED, "slot.lag.alarm.bytes": "1000000" });
      const taken = await follow(run, query, 2);
      // Nothing is polled or acknowledged from here on.
      await fill(query);
      await until(DEADLINE_MS, "the alarm", () => linesOf(run, "keeps much of its log").length > 0);
      assert.ok(metric(run, "slot-retained-bytes") > 1_000_000);
      assert.ok(metric(run, "lag-bytes") > 1_000_000);
      assert.ok(metric(run, "slot-safe-bytes") > 0);
      await fill(query);
      await until(DEADLINE_MS, "more is kept", () => metric(run, "lag-bytes") > 4_000_000);
      assert.equal(linesOf(run, "keeps much of its log").length, 1, "said once");
      await run.acknowledge(taken);
      await pollUntil(run, "the alarm is over", async () => {
        await query("CHECKPOINT");
        return linesOf(run, "does not keep much of its log").length > 0;
      });
      assert.ok(metric(run, "slot-retained-bytes") <= 1_000_000);
    }));

  it("is known while tables are read", () =>
    withDatabase(server, `${SET_UP}; INSERT INTO a SELECT generate_series(2, 100)`, async ({ query, open }) => {
      const run = await open({ ...WATCH, ...CAPTURED, "max.batch.size": "10", "slot.lag.alarm.bytes": "1000000" });
      await run.take(10);
      await fill(query);
      await until(DEADLINE_MS, "the alarm", () => linesOf(run, "keeps much of its log").length > 0);
      assert.ok(metric(run, "slot-retained-bytes") > 1_000_000);
    }));

  it("is asked anew after failures, which disturb no stream", () =>
    withDatabase(server, SET_UP, async ({ database, query, open }) => {
      const run = await open({ ...WATCH, ...CAPTURED, "database.connect.timeout.ms": "3000" });
      await follow(run, query, 2);
      await until(DEADLINE_MS, "the slot is known", () => metric(run, "slot-retained-bytes") > 0);
      const blocker = await database.connect();
      await blocker.run("BEGIN; LOCK TABLE pg_replication_slots IN ACCESS EXCLUSIVE MODE");
      await until(DEADLINE_MS, "a failure", () => metric(run, "slot-watch-failures") > 0);
      assert.ok(Number.isNaN(metric(run, "slot-retained-bytes")));
      assert.equal(linesOf(run, "cannot be asked what it keeps").length > 0, true);
      await query("INSERT INTO a VALUES (3)");
      assert.deepEqual(idsOf(await run.take(1)), [3]);
      assert.equal(run.retries(), 0);
      await blocker.run("ROLLBACK");
      await until(DEADLINE_MS, "the slot is known again", () => metric(run, "slot-retained-bytes") > 0);
    }));

  it("takes no connection that the stream needs", () =>
    withDatabase(server, SET_UP, async ({ database, query, open }) => {
      // To read tables the task itself needs two, not counting those for replication.
      await query(`CREATE ROLE few LOGIN REPLICATION CONNECTION LIMIT 2; ALTER TABLE a OWNER TO few;
        GRANT CREATE ON DATABASE ${database.name} TO few; CREATE PUBLICATION few FOR TABLE a`);
      const run = await open({ ...WATCH, ...CAPTURED, "database.user": "few", "publication.name": "few" });
      await follow(run, query, 2);
      await query("ALTER ROLE few CONNECTION LIMIT 1");
      await query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'few'");
      await query("INSERT INTO a VALUES (3)");
      const read = new Set<unknown>();
      while (!read.has(3)) for (const id of idsOf(await run.take(1))) read.add(id);
      await until(DEADLINE_MS, "a failure", () => metric(run, "slot-watch-failures") > 0);
      assert.ok(linesOf(run, "cannot be asked what it keeps").length > 0);
    }));

  it("keeps no task from closing while PostgreSQL does not answer", () =>
    withDatabase(server, SET_UP, async ({ database, query, open }) => {
      // Only closing can end a question then.
      const run = await open({ ...WATCH, ...CAPTURED, "database.connect.timeout.ms": "3600000" });
      await follow(run, query, 2);
      const blocker = await database.connect();
      await blocker.run("BEGIN; LOCK TABLE pg_replication_slots IN ACCESS EXCLUSIVE MODE");
      const waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%safe_wal_size%'";
      await until(DEADLINE_MS, "a question hangs", async () => (await blocker.rows(waiting)).length > 0);
      await run.close();
      await blocker.run("ROLLBACK");
    }));

  for (const [way, config, keepsOffsets] of [
    ["snapshot.mode=when_needed", { "snapshot.mode": "when_needed" }, true],
    ["reset offsets", {}, false],
  ] as const) {
    it(`is lost beyond max_slot_wal_keep_size, which is told, and begins anew by ${way}`, () =>
      withDatabase(server, SET_UP, async ({ query, open }) => {
        const offsets = createMemoryOffsets();
        const run = await open({ ...WATCH, ...CAPTURED }, offsets);
        await follow(run, query, 2);
        const write = (status: number) => async () => {
          await query("INSERT INTO other VALUES ('x'); SELECT pg_switch_wal()");
          if (status === 3) await query("CHECKPOINT");
          return metric(run, "slot-wal-status") >= status;
        };
        await until(DEADLINE_MS, "the slot needs more than max_wal_size", write(1));
        assert.ok(linesOf(run, "more of its log for the slot than max_wal_size").length > 0);
        await until(DEADLINE_MS, "the slot is lost", write(3));
        assert.match(linesOf(run, "the slot is lost").join(), /^error .*max_slot_wal_keep_size/);
        await query("INSERT INTO a VALUES (3)");
        await assert.rejects(
          run.take(100),
          /slot test_\d+ was invalidated by max_slot_wal_keep_size: changes .* are lost.*snapshot\.mode=when_needed.*reset its offsets/,
        );
        await run.close();
        const again = await open({ ...WATCH, ...CAPTURED, ...config }, keepsOffsets ? offsets : createMemoryOffsets());
        const read: unknown[] = [];
        while (read.length < 3) {
          const records = await again.take(1);
          read.push(...idsOf(records));
          await again.acknowledge(records);
        }
        assert.deepEqual(read, [1, 2, 3]);
        const taking = again.take(1);
        await streaming(again);
        await query("INSERT INTO a VALUES (4)");
        assert.deepEqual(idsOf(await taking), [4]);
        await until(DEADLINE_MS, "the new slot is known", () => metric(again, "slot-wal-status") === 0);
      }));
  }

  it("is little when only other databases write, by heartbeat.action.query", () =>
    withDatabase(
      server,
      `${SET_UP}; CREATE TABLE beat (id int PRIMARY KEY, n int NOT NULL); INSERT INTO beat VALUES (1, 0)`,
      async ({ query, open, slot }) => {
        const run = await open({
          ...WATCH,
          "table.include.list": "public[.](a|beat)",
          "heartbeat.interval.ms": "50",
          "heartbeat.action.query": "UPDATE beat SET n = n + 1",
        });
        for (let read = 0; read < 2; read += 1) await run.acknowledge(await run.take(1));
        const elsewhere = await server.createDatabase();
        await elsewhere.client.query("CREATE TABLE other (t text)");
        await elsewhere.client.query("INSERT INTO other SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
        const [end] = (await elsewhere.client.query("SELECT (pg_current_wal_lsn() - '0/0')::text AS lsn")).rows;
        await elsewhere.close();
        const given = await pollUntil(run, "the slot has moved on", async () => {
          const [beat] = await query("SELECT n FROM beat");
          return Number(beat?.["n"]) > 2 && (await slot()) >= BigInt(String(end?.lsn));
        });
        const topics = new Set(given.map(({ topic }) => topic));
        assert.deepEqual(topics, new Set(["db.public.beat", "__debezium-heartbeat.db"]));
      },
    ));
});
