import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { postgresCdcSource } from "@headrace/postgres";
import type { OffsetMap, SourceRecord, Value } from "@headrace/sdk";
import { createMemoryOffsets, type SourceRun, sourceAcceptance, until } from "@headrace/sdk/testing";
import { z } from "zod";
import { openCommittedReader } from "#support/committed-reader.ts";
import { uniqueName } from "#support/kafka.ts";
import { NOT_APPLICABLE } from "#support/not-applicable.ts";
import { openPluginWorker } from "#support/plugin-worker.ts";
import { configOf, eventOf, type Plain, plain, streaming, withDatabase } from "./capture-run.ts";
import { POSTGRES } from "./postgres-dialect.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

const idOf = (record: SourceRecord): Value | undefined => plain(eventOf(record)?.after)?.["id"];

describe("change capture from PostgreSQL", () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  describe("acceptance", { concurrency: 4 }, () => {
    const cases = sourceAcceptance({
      definition: postgresCdcSource,
      module: import.meta.resolve("@headrace/postgres"),
      resumes: "offsets",
      maxBatch: 4,
      items: 6,
      poisoned: { outcome: "fails", tells: /tags/ },
      notApplicable: NOT_APPLICABLE["postgres-cdc-source"],
      misconfigurations: [
        { change: { "topic.prefix": undefined }, key: "topic.prefix", message: /./ },
        { change: { "database.port": "1" }, key: "database.hostname", message: /cannot be captured.*ECONNREFUSED/ },
        { change: { "plugin.name": "decoderbufs" }, key: "plugin.name", message: /./ },
        { change: { "slot.name": "My Slot" }, key: "slot.name", message: /lower-case/ },
        { change: { "table.include.list": "(" }, key: "table.include.list", message: /no regular expression/ },
        {
          change: { "table.include.list": "a", "table.exclude.list": "b" },
          key: "table.exclude.list",
          message: /exclude one another/,
        },
      ],
      badOffsets: [
        { partition: { server: "other" }, offset: { lsn: 1 } },
        { partition: { server: "db" }, offset: { position: 1 } },
      ],
      async openSystem() {
        const database = await server.createDatabase();
        await database.client.query("CREATE TABLE items (id serial PRIMARY KEY, tags text[])");
        // Items that are there before the first poll come by the stream, so that each has a position of its own.
        await database.client.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [database.name]);
        await database.client.query("CREATE PUBLICATION dbz_publication FOR ALL TABLES");
        return {
          config: configOf(database, { "max.batch.size": "4", "snapshot.mode": "no_data" }),
          identify: (record: SourceRecord) => String(idOf(record)),
          // PostgreSQL may have been told of the end of the transaction before, and does not send it again.
          placeOf: ({ lsn_commit: _, ...place }: OffsetMap) => place,
          outage: database.outage,
          stall: database.stall,
          async connections() {
            const [row] = await database.rows(POSTGRES.sessions);
            return Number(row?.["count"]) - 1; // But for the test's own.
          },
          async feed(count: number) {
            const ids: string[] = [];
            // Transactions of one, two, three rows, and so on.
            for (let size = 1; ids.length < count; size += 1) {
              const { rows } = await database.client.query<{ id: number }>(
                "INSERT INTO items (tags) SELECT NULL FROM generate_series(1, $1) RETURNING id",
                [Math.min(size, count - ids.length)],
              );
              ids.push(...rows.map(({ id }) => String(id)));
            }
            return ids;
          },
          async poison() {
            await database.client.query("INSERT INTO items (tags) VALUES ('{{a},{b}}')");
          },
          close: () => database.close(),
        };
      },
    });
    for (const each of cases) it(each.name, each.run);
  });

  describe("records", { concurrency: 3 }, () => {
    /** Takes records until the stream has begun; they are acknowledged. */
    async function takeSnapshot(run: SourceRun, count: number): Promise<readonly SourceRecord[]> {
      const records: SourceRecord[] = [];
      while (records.length < count) {
        const more = await run.take(1);
        await run.acknowledge(more);
        records.push(...more);
      }
      return records;
    }

    it("of a first reading go on with the changes since, nothing twice and nothing left out", () =>
      withDatabase(
        server,
        `CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int); CREATE TABLE empty (id int PRIMARY KEY);
         INSERT INTO a SELECT i, 0 FROM generate_series(1, 3000) i; INSERT INTO b SELECT i, 0 FROM generate_series(1, 500) i`,
        async ({ query, open }) => {
          const run = await open({ "snapshot.max.threads": "2", "max.batch.size": "100" });
          let writing = true;
          const writer = (async () => {
            for (let id = 3001; writing; id += 1) {
              await query(
                `BEGIN; INSERT INTO a VALUES (${id}, 0); UPDATE a SET n = n + 1 WHERE id = ${id % 3000}; COMMIT`,
              );
            }
          })();
          const rows = new Map<string, Plain>();
          const snapshots: Value[] = [];
          const apply = (records: readonly SourceRecord[]) => {
            for (const record of records) {
              const event = eventOf(record);
              if (event === null) continue;
              snapshots.push(event.source["snapshot"] ?? null);
              const key = `${event.source["table"]} ${idOf(record)}`;
              const known = rows.get(key);
              // Each row is read once or made once, and changes come in their order.
              if (event.op !== "u") assert.equal(known, undefined, `${key} came twice`);
              else assert.equal(plain(event.after)["n"], Number(known?.["n"]) + 1, `${key} missed a change`);
              rows.set(key, plain(event.after));
            }
          };
          while (rows.size < 3700) {
            const records = await run.take(1);
            apply(records);
            await run.acknowledge(records);
          }
          writing = false;
          await writer;
          const wanted = await query("SELECT id, n FROM a");
          // The last insertion and the update of the same transaction may come one after the other.
          while (rows.size < wanted.length + 500 || wanted.some(({ id, n }) => rows.get(`a ${id}`)?.["n"] !== n)) {
            const records = await run.take(1);
            apply(records);
            await run.acknowledge(records);
          }
          assert.equal(snapshots[0], "first");
          assert.equal(snapshots.filter((each) => each === "last").length, 1);
          // What was written before the slot began was read with the tables; perhaps all of it.
          assert.ok(
            snapshots.lastIndexOf("true") < snapshots.indexOf("last") &&
              snapshots.slice(snapshots.indexOf("last") + 1).every((each) => each === "false"),
          );
        },
      ));

    it("of a first reading are those of a table that was rewritten before its turn too", () =>
      withDatabase(
        server,
        `CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE b (id int PRIMARY KEY, n int); CREATE TABLE c (id int PRIMARY KEY);
         INSERT INTO a SELECT i, 0 FROM generate_series(1, 60) i; INSERT INTO b SELECT i, 0 FROM generate_series(1, 40) i`,
        async ({ query, open }) => {
          const run = await open({ "max.batch.size": "25" });
          const records = [...(await run.take(1))];
          await run.acknowledge(records);
          await query("ALTER TABLE b ALTER n TYPE bigint; DROP TABLE c");
          records.push(...(await takeSnapshot(run, 100 - records.length)));
          const ofTable = (table: string) => records.filter((record) => record.topic === `db.public.${table}`).length;
          assert.deepEqual(["a", "b"].map(ofTable), [60, 40]);
        },
      ));

    it("are acknowledged to PostgreSQL only when Kafka has them", () =>
      withDatabase(
        server,
        "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (0)",
        async ({ database, query, open, slot }) => {
          const run = await open();
          await takeSnapshot(run, 1);
          const taking = run.take(3);
          await streaming(run);
          const before = await slot();
          // A second slot that nobody reads tells where the transactions end.
          const witness = `${database.name}_witness`;
          await query(`SELECT pg_create_logical_replication_slot('${witness}', 'pgoutput')`);
          await query("INSERT INTO a VALUES (1); INSERT INTO a VALUES (2); INSERT INTO a VALUES (3)");
          for (const id of [4, 5]) await query(`INSERT INTO a VALUES (${id})`);
          const records = [...(await taking)];
          while (records.length < 5) records.push(...(await run.take(1)));
          assert.deepEqual(records.map(idOf), [1, 2, 3, 4, 5]);
          const commits = await query(
            `SELECT (lsn - '0/0')::text AS lsn FROM pg_logical_slot_peek_binary_changes(
             '${witness}', NULL, NULL, 'proto_version', '1', 'publication_names', 'dbz_publication')
           WHERE get_byte(data, 0) = ascii('C')`,
          );
          const [first = 0n, second = 0n, third = 0n] = commits.map((row) => BigInt(String(row["lsn"])));
          assert.equal(commits.length, 3);
          // PostgreSQL sends a transaction again as long as less than its end was acknowledged; a place within it is as good as its beginning.
          // The server hears of us every 100 ms: by and by nothing changes, however long one waits.
          const polling = run.take(1, 5_000).catch(() => []);
          await polling;
          assert.ok((await slot()) < first, "acknowledged before Kafka had it");
          await run.acknowledge(records.slice(0, 2));
          // Still within the first transaction.
          const more = run.take(1, 3_000).catch(() => []);
          await more;
          assert.ok((await slot()) < first, "acknowledged within a transaction");
          await run.acknowledge(records.slice(2, 4));
          const last = run.take(1, 60_000).catch(() => []);
          await until(60_000, "four are acknowledged", async () => (await slot()) >= second);
          assert.ok((await slot()) < third, "acknowledged before Kafka had it");
          await query("INSERT INTO a VALUES (6)");
          await last;
          assert.ok(before > 0n);
        },
      ));

    it("tell changed keys, deletions, large values, new columns and transactions as Debezium does", () =>
      withDatabase(
        server,
        `CREATE TABLE a (id int PRIMARY KEY, big text, n int NOT NULL); ALTER TABLE a ALTER big SET STORAGE EXTERNAL;
         CREATE TABLE f (id int PRIMARY KEY, note text); ALTER TABLE f REPLICA IDENTITY FULL; CREATE TABLE none (n numeric)`,
        async ({ query, open }) => {
          const run = await open({ "provide.transaction.metadata": "true", "skipped.operations": "none" });
          const taking = run.take(1);
          await streaming(run);
          const big = "x".repeat(5_000);
          await query(`INSERT INTO a VALUES (1, '${big}', 1)`);
          await query("UPDATE a SET n = 2");
          await query("UPDATE a SET id = 2");
          await query("DELETE FROM a");
          await query(
            "BEGIN; INSERT INTO f VALUES (1, 'a'); UPDATE f SET note = 'b'; INSERT INTO none VALUES (1.50); COMMIT",
          );
          await query("ALTER TABLE f ADD extra int");
          await query("INSERT INTO f VALUES (2, 'c', 7)");
          await query("TRUNCATE f, none");
          const records = [...(await taking)];
          while (records.filter(({ topic }) => topic !== "db.transaction").length < 13)
            records.push(...(await run.take(1)));
          const shown = records
            .filter(({ topic }) => topic !== "db.transaction")
            .map((record) => {
              const event = eventOf(record);
              const key = record.key?.value === undefined ? null : (plain(record.key.value)["id"] ?? null);
              return [record.topic, key, event && [event.op, event.before, event.after]];
            });
          const placeholder = "__debezium_unavailable_value";
          const two = { scale: 2, value: Buffer.from([0, 150]) };
          assert.deepEqual(shown, [
            ["db.public.a", 1, ["c", null, { id: 1, big, n: 1 }]],
            ["db.public.a", 1, ["u", null, { id: 1, big: placeholder, n: 2 }]],
            ["db.public.a", 1, ["d", { id: 1, big: null, n: 0 }, null]],
            ["db.public.a", 1, null],
            ["db.public.a", 2, ["c", null, { id: 2, big: placeholder, n: 2 }]],
            ["db.public.a", 2, ["d", { id: 2, big: null, n: 0 }, null]],
            ["db.public.a", 2, null],
            ["db.public.f", 1, ["c", null, { id: 1, note: "a" }]],
            ["db.public.f", 1, ["u", { id: 1, note: "a" }, { id: 1, note: "b" }]],
            ["db.public.none", null, ["c", null, { n: two }]],
            ["db.public.f", 2, ["c", null, { id: 2, note: "c", extra: 7 }]],
            ...["db.public.f", "db.public.none"].map((topic) => [topic, null, ["t", null, null]]),
          ]);
          const renamed = records.filter(({ headers }) => (headers ?? []).length > 0);
          assert.deepEqual(
            renamed.map(({ headers }) => headers?.map(({ key, value }) => [key, value])),
            [
              [["__debezium.newkey", { id: 2 }]],
              [["__debezium.newkey", { id: 2 }]],
              [["__debezium.oldkey", { id: 1 }]],
            ],
          );
          const ends = records.filter(({ topic }) => topic === "db.transaction").map(({ value }) => plain(value.value));
          const counts = ends.map(({ status, event_count }) => [status, event_count]);
          assert.deepEqual(counts.slice(8, 10), [
            ["BEGIN", null],
            ["END", 3n],
          ]);
        },
      ));

    it("of a table that is changed have the key and the columns that it had at the time, whatever the catalog has when they are read", () =>
      withDatabase(
        server,
        "CREATE TABLE a (x int, y int, note text, old int, n int, PRIMARY KEY (y, x))",
        async ({ query, open }) => {
          const offsets = createMemoryOffsets();
          const first = await open({}, offsets);
          const beginning = first.take(1);
          await streaming(first);
          await query("INSERT INTO a VALUES (0, 0, 'a', 0, 0)");
          await first.acknowledge(await beginning);
          await first.close();
          // All of it is in the slot before any of it is read.
          await query("INSERT INTO a VALUES (1, 2, 'b', 3, 4)");
          await query("ALTER TABLE a RENAME x TO id");
          await query("UPDATE a SET n = 5 WHERE id = 1; DELETE FROM a WHERE id = 1");
          await query("ALTER TABLE a RENAME note TO remark; ALTER TABLE a DROP COLUMN old");
          await query("INSERT INTO a VALUES (6, 7, 'c', 8)");
          await query("ALTER TABLE a ALTER n TYPE text USING 'n' || n");
          await query("INSERT INTO a VALUES (9, 10, 'd', 'e')");
          await query("ALTER TABLE a RENAME id TO number; CREATE TABLE later (id int PRIMARY KEY)");
          await query("INSERT INTO later VALUES (1)");
          const run = await open({}, offsets);
          const shown = (await run.take(7)).map((record) => {
            const event = eventOf(record);
            return [record.topic, Object.entries(plain(record.key?.value ?? null)), event && (event.after ?? event.op)];
          });
          const keyOf = (y: number, name: string, value: number) => [
            ["y", y],
            [name, value],
          ];
          assert.deepEqual(shown, [
            ["db.public.a", keyOf(2, "x", 1), { x: 1, y: 2, note: "b", old: 3, n: 4 }],
            ["db.public.a", keyOf(2, "id", 1), { id: 1, y: 2, note: "b", old: 3, n: 5 }],
            ["db.public.a", keyOf(2, "id", 1), "d"],
            ["db.public.a", keyOf(2, "id", 1), null],
            ["db.public.a", keyOf(7, "id", 6), { id: 6, y: 7, remark: "c", n: 8 }],
            ["db.public.a", keyOf(10, "id", 9), { id: 9, y: 10, remark: "d", n: "e" }],
            ["db.public.later", [["id", 1]], { id: 1 }],
          ]);
        },
      ));

    it("of a table made since come without a restart from a publication for all tables, and from a filtered one after it", () =>
      withDatabase(server, "CREATE TABLE a (id int PRIMARY KEY)", async ({ query, open }) => {
        const config = { "publication.autocreate.mode": "filtered" };
        const offsets = createMemoryOffsets();
        const first = await open(config, offsets);
        const taking = first.take(1);
        await streaming(first);
        await query("CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1)");
        await query("INSERT INTO a VALUES (2)");
        const records = await taking;
        assert.deepEqual(
          records.map(({ topic }) => topic),
          ["db.public.a"],
        );
        await first.acknowledge(records);
        await first.close();
        const run = await open(config, offsets);
        const more = run.take(1);
        await streaming(run);
        await query("INSERT INTO later VALUES (3)");
        const shown = (await more).map((record) => [record.topic, idOf(record)]);
        assert.deepEqual(shown, [["db.public.later", 3]]);
      }));

    it("of partitions have topics of their own otherwise", () =>
      withDatabase(
        server,
        `CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); INSERT INTO p VALUES (1), (11)`,
        async ({ query, open }) => {
          const run = await open({ "publication.autocreate.mode": "filtered" });
          const first = await takeSnapshot(run, 2);
          const taking = run.take(2);
          await streaming(run);
          await query("INSERT INTO p VALUES (2), (12)");
          const shown = [...first, ...(await taking)].map((record) => [record.topic, idOf(record)]);
          assert.deepEqual(shown, [
            ["db.public.p1", 1],
            ["db.public.p2", 11],
            ["db.public.p1", 2],
            ["db.public.p2", 12],
          ]);
        },
      ));

    it("of partitions are those of the table, where the publication says so", () =>
      withDatabase(
        server,
        `CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
         CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); INSERT INTO p VALUES (1), (11)`,
        async ({ query, open }) => {
          const run = await open({ "publish.via.partition.root": "true", "publication.autocreate.mode": "filtered" });
          const first = await takeSnapshot(run, 2);
          const taking = run.take(1);
          await streaming(run);
          await query("INSERT INTO p VALUES (2)");
          const all = [...first, ...(await taking)];
          assert.deepEqual(
            all.map((record) => [record.topic, idOf(record)]),
            [
              ["db.public.p", 1],
              ["db.public.p", 11],
              ["db.public.p", 2],
            ],
          );
        },
      ));

    it("of a table that was read to its end are not read again after a kill, and those since come by the stream", () =>
      withDatabase(
        server,
        `CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a SELECT generate_series(1, 5);
         INSERT INTO b SELECT generate_series(1, 50)`,
        async ({ query, open, slot }) => {
          const offsets = createMemoryOffsets();
          const config = { "max.batch.size": "10" };
          const killed = await open(config, offsets);
          await takeSnapshot(killed, 20);
          await killed.close();
          const start = await slot();
          await query("INSERT INTO a VALUES (6); DELETE FROM b WHERE id = 1; INSERT INTO b VALUES (51)");
          const run = await open(config, offsets);
          const shown: string[] = [];
          while (shown.filter((each) => /^[cd]/.test(each)).length < 3) {
            const records = await run.take(1);
            await run.acknowledge(records);
            for (const record of records) {
              const event = eventOf(record);
              if (event === null) continue;
              const id = plain(event.after ?? event.before)["id"];
              shown.push(`${event.op} ${event.source["table"]} ${id}`);
            }
          }
          const reread = Array.from({ length: 50 }, (_, index) => `r b ${index + 2}`);
          assert.deepEqual(shown, [...reread, "c a 6", "d b 1", "c b 51"]);
          assert.ok(start > 0n);
        },
      ));

    it("end with a clear error when the slot is gone, and begin anew when that is wanted", () =>
      withDatabase(
        server,
        "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)",
        async ({ database, query, open }) => {
          const offsets = createMemoryOffsets();
          const first = await open({}, offsets);
          await takeSnapshot(first, 1);
          await first.close();
          const dropped = () =>
            query(
              "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name = current_database()",
            );
          await until(60_000, "the slot is dropped", async () => (await dropped()).length === 1);
          await query("INSERT INTO a VALUES (2)");
          const failing = await open({}, offsets);
          await assert.rejects(failing.take(1), /slot test_\d+ does not exist any more.*snapshot\.mode=when_needed/);
          await failing.close();
          const run = await open({ "snapshot.mode": "when_needed" }, offsets);
          assert.deepEqual((await takeSnapshot(run, 2)).map(idOf), [1, 2]);
          await query("INSERT INTO a VALUES (3)");
          assert.deepEqual((await run.take(1)).map(idOf), [3]);
          assert.equal(database.name.startsWith("test_"), true);
        },
      ));

    it("of a first reading alone leave no slot behind", () =>
      withDatabase(
        server,
        "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1), (2)",
        async ({ query, open }) => {
          const run = await open({ "snapshot.mode": "initial_only" });
          assert.deepEqual((await takeSnapshot(run, 2)).map(idOf), [1, 2]);
          const polling = run.take(1, 10_000).catch(() => []);
          const slots = () => query("SELECT 1 FROM pg_replication_slots WHERE slot_name = current_database()");
          await until(60_000, "the slot is gone", async () => (await slots()).length === 0);
          assert.deepEqual(await polling, []);
        },
      ));

    it("have the keys, the columns, the rows and the replica identities that are asked for", () =>
      withDatabase(
        server,
        `CREATE TABLE a (id int PRIMARY KEY, part text NOT NULL, note text, hidden int); CREATE TABLE b (id int PRIMARY KEY);
         INSERT INTO a VALUES (1, 'x', 'long', 1), (2, 'x', 'long', 1), (3, 'y', 'long', 1); INSERT INTO b VALUES (1);
         CREATE TABLE signals (id text PRIMARY KEY, type text NOT NULL, data text);`,
        async ({ query, open }) => {
          const overrides = "snapshot.select.statement.overrides";
          const run = await open({
            "table.include.list": "public[.][ab]",
            "column.exclude.list": "public[.]a[.]hidden",
            "column.truncate.to.2.chars": "public[.]a[.]note",
            "message.key.columns": "public.a:part",
            "replica.identity.autoset.values": "public.a:FULL",
            "skip.messages.without.change": "true",
            "snapshot.include.collection.list": "public[.]a",
            [overrides]: "public.a",
            [`${overrides}.public.a`]: "SELECT * FROM public.a WHERE id > 1",
            "database.initial.statements": "SET search_path TO public; SET statement_timeout TO '60s'",
            "signal.data.collection": "public.signals",
            "topic.transaction": "ends",
            "provide.transaction.metadata": "true",
          });
          const shown = (record: SourceRecord) => {
            const event = eventOf(record);
            return [record.topic, plain(record.key?.value), event && [event.op, event.before, event.after]];
          };
          const row = (id: number, part: string, note = "lo") => ({ id, part, note });
          const first = await takeSnapshot(run, 2);
          assert.deepEqual(first.map(shown), [
            ["db.public.a", { part: "x" }, ["r", null, row(2, "x")]],
            ["db.public.a", { part: "y" }, ["r", null, row(3, "y")]],
          ]);
          const taking = run.take(1);
          await streaming(run);
          await query("UPDATE a SET hidden = 2 WHERE id = 1");
          await query("UPDATE a SET note = 'new' WHERE id = 1");
          await query("DELETE FROM a WHERE id = 2");
          await query(
            `INSERT INTO signals VALUES ('1', 'execute-snapshot', '{"data-collections": ["public.[ab]"]}'); INSERT INTO a VALUES (4, 'x', NULL, 1)`,
          );
          const records = [...(await taking)];
          const events = () => records.filter(({ topic }) => topic !== "db.ends");
          while (events().length < 8) records.push(...(await run.take(1)));
          assert.deepEqual(events().slice(0, 4).map(shown), [
            ["db.public.a", { part: "x" }, ["u", row(1, "x"), row(1, "x", "ne")]],
            ["db.public.a", { part: "x" }, ["d", row(2, "x"), null]],
            ["db.public.a", { part: "x" }, null],
            ["db.public.a", { part: "x" }, ["c", null, { ...row(4, "x"), note: null }]],
          ]);
          // Rows of one key are rows of their own.
          const read = events()
            .slice(4)
            .map((record) => [record.topic, idOf(record)]);
          assert.deepEqual(read, [
            ["db.public.a", 1],
            ["db.public.a", 3],
            ["db.public.a", 4],
            ["db.public.b", 1],
          ]);
        },
      ));

    it("have key columns that are left out otherwise; the log warns of what deletions do not know, and of signals that cannot come", () =>
      withDatabase(
        server,
        `CREATE TABLE a (id int PRIMARY KEY, region text NOT NULL, n int); CREATE TABLE signals (id text, type text, data text);
         CREATE PUBLICATION dbz_publication FOR TABLE a`,
        async ({ query, open }) => {
          const run = await open({
            "snapshot.mode": "no_data",
            "column.include.list": "public.a.n",
            "message.key.columns": "public.(a|b):region",
            "signal.data.collection": "public.signals",
          });
          const taking = run.take(1);
          await streaming(run);
          await query("INSERT INTO a VALUES (1, 'x', 2)");
          const [record] = await taking;
          assert.deepEqual(plain(record?.key?.value), { region: "x" });
          for (const text of ["keys of deletions will be others", "no signal will come"])
            assert.ok(
              run.log.lines.some((line) => line.includes(text)),
              text,
            );
        },
      ));

    it("of heartbeats let PostgreSQL forget what is of no interest", () =>
      withDatabase(
        server,
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE other (id int)",
        async ({ query, open, slot }) => {
          const run = await open({ "table.include.list": "public[.]a", "heartbeat.interval.ms": "50" });
          let beats = 0;
          let stopped = false;
          const polling = (async () => {
            while (!stopped) {
              const records = await run.take(1);
              beats += records.filter(({ topic }) => topic === "__debezium-heartbeat.db").length;
              await run.acknowledge(records);
            }
          })();
          await streaming(run);
          await query("INSERT INTO other SELECT generate_series(1, 1000)");
          const [end] = await query("SELECT (pg_current_wal_lsn() - '0/0')::text AS lsn");
          await until(60_000, "the slot has moved on", async () => (await slot()) >= BigInt(String(end?.["lsn"])));
          stopped = true;
          await polling;
          assert.ok(beats > 0);
        },
      ));
  });

  it("loses no row, and acknowledges none early, in a worker that is killed at random points", {
    timeout: 600_000,
  }, async () => {
    const worker = await openPluginWorker("postgres");
    const database = await server.createDatabase();
    await database.client.query("CREATE TABLE lines (id serial PRIMARY KEY, n int NOT NULL)");
    await database.client.query("INSERT INTO lines (n) SELECT 0 FROM generate_series(1, 5000)");
    const prefix = uniqueName("cdc");
    const closing: (() => Promise<void>)[] = [() => worker.close(), () => database.close()];
    try {
      const name = uniqueName("capture");
      await worker.start(
        name,
        configOf(database, {
          "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
          "topic.prefix": prefix,
          "max.batch.size": "250",
        }),
      );
      await until(120_000, "the first rows are in Kafka", async () =>
        (await worker.offsets(name)).includes("snapshot"),
      );
      const reader = openCommittedReader(worker.bootstrap, `${prefix}.public.lines`);
      closing.unshift(() => reader.close());
      const Line = z.object({ after: z.object({ id: z.number(), n: z.number() }) });
      const have = new Map<number, number>();
      let parsed = 0;
      /** The last state of each row in Kafka; what is new since the last call is parsed. */
      const rows = () => {
        for (const { value } of reader.records.slice(parsed)) {
          const { after: row } = Line.parse(JSON.parse(value ?? ""));
          have.set(row.id, row.n);
          parsed += 1;
        }
        return have;
      };
      /** By id, where the log was after the row had been committed. */
      const written = new Map<number, bigint>();
      let writing = true;
      const lsn = async (sql: string) =>
        BigInt(String((await database.client.query<{ lsn: string }>(sql)).rows[0]?.lsn));
      const writer = (async () => {
        for (let id = 5001; writing; id += 1) {
          await database.client.query(`INSERT INTO lines (n) VALUES (0)`);
          await database.client.query("UPDATE lines SET n = n + 1 WHERE id = $1", [id - 5000]);
          written.set(id, await lsn("SELECT (pg_current_wal_insert_lsn() - '0/0')::text AS lsn"));
          await sleep(5);
        }
      })();
      for (const pauseMs of [Math.random() * 500, 1_000 + Math.random() * 3_000]) {
        await sleep(pauseMs);

        await worker.killAndRestart(async () => {
          const confirmed = await lsn(
            `SELECT (confirmed_flush_lsn - '0/0')::text AS lsn FROM pg_replication_slots WHERE slot_name = '${database.name}'`,
          );
          const due = [...written].filter(([, place]) => place <= confirmed).map(([id]) => id);
          await until(60_000, `${due.length} acknowledged rows are in Kafka`, () => {
            const inKafka = rows();
            return due.every((id) => inKafka.has(id));
          });
        });
      }
      writing = false;

      await writer;
      const wanted = (await database.client.query<{ id: number; n: number }>("SELECT id, n FROM lines")).rows;
      await until(120_000, `${wanted.length} rows are in Kafka as they are`, () => {
        const inKafka = rows();
        return wanted.every(({ id, n }) => inKafka.get(id) === n);
      });
      assert.equal(rows().size, wanted.length);

      const slot = `SELECT (confirmed_flush_lsn - '0/0')::text AS lsn FROM pg_replication_slots WHERE slot_name = '${database.name}'`;
      const last = [...written.values()].at(-1) ?? 0n;
      await until(60_000, "everything is acknowledged", async () => (await lsn(slot)) >= last);
    } finally {
      for (const close of closing) await close();
    }
  });
});
