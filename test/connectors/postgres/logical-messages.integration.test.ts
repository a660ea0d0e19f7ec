import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { SourceRecord } from "@headrace/sdk";
import { createMemoryOffsets } from "@headrace/sdk/testing";
import { eventOf, plain, streaming, withDatabase } from "./capture-run.ts";
import { type PostgresServer, startPostgres } from "./postgres-server.ts";

const TABLES = "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE other (id int);";
const CONFIG = { "snapshot.mode": "no_data", "table.include.list": "public[.]a" };

/** A message as its prefix, its content and its transaction, or not; a row as its key. */
function shown({ topic, value, key }: SourceRecord): string {
  const event = plain(value.value);
  if (topic !== "db.message") return `row ${plain(event["after"])["id"]}`;
  const { prefix, content } = plain(event["message"]);
  assert.deepEqual(plain(key?.value), { prefix });
  assert.equal(event["op"], "m");
  return `${prefix} ${String(content)}${plain(event["source"])["txId"] === null ? "" : " in a transaction"}`;
}

describe("logical messages of PostgreSQL", { concurrency: 3 }, () => {
  let server: PostgresServer;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  it("come in the order of the log, among changes, each once, though the task is killed after every one of them", () =>
    withDatabase(server, TABLES, async ({ query, open }) => {
      const offsets = createMemoryOffsets();
      const first = await open(CONFIG, offsets);
      const taking = first.take(1);
      await streaming(first);
      await query("INSERT INTO a VALUES (0)");
      assert.deepEqual((await taking).map(shown), ["row 0"]);
      await first.acknowledge(await taking);
      await first.close();
      await query("SELECT pg_logical_emit_message(false, 'p', '1')");
      await query("INSERT INTO a VALUES (2)");
      await query(
        `BEGIN; SELECT pg_logical_emit_message(true, 'p', '3'); INSERT INTO a VALUES (4); SELECT pg_logical_emit_message(true, 'p', '5');
         SELECT pg_logical_emit_message(true, 'p', '6'); INSERT INTO a VALUES (7); COMMIT`,
      );
      // One of no transaction comes at once, those of a transaction with its commit; what was rolled back does not take the former with it.
      await query(
        `BEGIN; SELECT pg_logical_emit_message(true, 'p', '9'); SELECT pg_logical_emit_message(false, 'p', '8'); COMMIT`,
      );
      await query(
        `BEGIN; SELECT pg_logical_emit_message(true, 'p', 'no'); SELECT pg_logical_emit_message(false, 'p', '10'); ROLLBACK`,
      );
      await query("SELECT pg_logical_emit_message(false, 'p', '11'), pg_logical_emit_message(false, 'p', '12')");
      await query("INSERT INTO a VALUES (13)");
      const found: string[] = [];
      while (found.at(-1) !== "row 13") {
        const run = await open(CONFIG, offsets);
        const records = [...(await run.take(1))];
        const [record] = records;
        assert.ok(record !== undefined);
        found.push(shown(record));
        await run.acknowledge([record]);
        await run.close();
      }
      assert.deepEqual(found, [
        "p 1",
        "row 2",
        "p 3 in a transaction",
        "row 4",
        "p 5 in a transaction",
        "p 6 in a transaction",
        "row 7",
        "p 8",
        "p 9 in a transaction",
        "p 10",
        "p 11",
        "p 12",
        "row 13",
      ]);
    }));

  it("are chosen by their prefix; those of incremental snapshots are never among them", () =>
    withDatabase(
      server,
      `${TABLES} CREATE TABLE signals (id text PRIMARY KEY, type text NOT NULL, data text); INSERT INTO a VALUES (1)`,
      async ({ query, open }) => {
        const config = { ...CONFIG, "signal.data.collection": "public.signals", "binary.handling.mode": "base64" };
        const included = await open({ ...config, "message.prefix.include.list": "app,headrace" });
        const taking = included.take(1);
        await streaming(included);
        await query(
          `INSERT INTO signals VALUES ('1', 'execute-snapshot', '{"data-collections": ["public.a"]}');
           SELECT pg_logical_emit_message(true, 'application', 'x'), pg_logical_emit_message(false, 'APP', 'x')`,
        );
        await query("SELECT pg_logical_emit_message(false, 'app', convert_to('é', 'UTF8'))");
        const records = [...(await taking)];
        while (records.length < 2) records.push(...(await included.take(1)));
        assert.deepEqual(records.map(shown).toSorted(), ["app w6k=", "row 1"]);
        assert.equal(records.filter((record) => eventOf(record)?.op === "r").length, 1);
        await included.close();
      },
    ));

  it("let PostgreSQL forget them once Kafka has them, and move the slot where no table changes", () =>
    withDatabase(server, TABLES, async ({ query, open, slot }) => {
      const run = await open(CONFIG);
      let stopped = false;
      const polling = (async () => {
        while (!stopped) await run.acknowledge(await run.take(1).catch(() => []));
      })();
      await streaming(run);
      await query("INSERT INTO a VALUES (1)");
      const [row] = await query("SELECT (pg_logical_emit_message(false, 'p', 'x') - '0/0')::text AS lsn");
      while ((await slot()) < BigInt(String(row?.["lsn"]))) await query("SELECT pg_sleep(0.05)");
      stopped = true;
      await query("INSERT INTO a VALUES (2)");
      await polling;
    }));
});
