import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { until } from "@headrace/sdk/testing";
import { z } from "zod";
import { startJvmWorker } from "#dev/kafka.ts";
import { buildConnectors } from "#dev/setup/connectors.ts";
import { debeziumArchive } from "#dev/setup/debezium.ts";
import { openCommittedReader } from "#support/committed-reader.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, startWorker } from "#support/worker.ts";
import { startPostgres } from "./postgres-server.ts";

const DEADLINE_MS = 180_000;
/** Rows of one transaction: more than a batch of Debezium's, whose offset may be within it. */
const ROWS = 200;

const Event = z.object({
  op: z.string(),
  after: z.object({ id: z.number() }),
  source: z.object({ version: z.string() }),
});
/** What Debezium stores. Source: io.debezium.connector.postgresql.PostgresOffsetContext. */
const Offset = z.object({
  lsn: z.number(),
  lsn_proc: z.number().optional(),
  lsn_commit: z.number().optional(),
  txId: z.number(),
  ts_usec: z.number(),
  messageType: z.string().optional(),
});

describe("a cluster of JVM workers that Debezium ran in", () => {
  it("is taken over with its connector, slot, publication and offsets as they are: no row is left out, and no complete transaction comes twice", {
    timeout: 900_000,
  }, async () => {
    const dir = mkdtempSync(join(tmpdir(), "headrace-take-over-"));
    const closing: (() => Promise<unknown>)[] = [async () => rmSync(dir, { recursive: true, force: true })];
    try {
      const kafka = await sharedKafka();
      closing.unshift(() => kafka.stop());
      const server = await startPostgres();
      closing.unshift(() => server.stop());
      const database = await server.createDatabase();
      closing.unshift(() => database.close());
      await database.run(
        "CREATE TABLE lines (id serial PRIMARY KEY, n int NOT NULL); INSERT INTO lines (n) VALUES (0)",
      );

      const group = uniqueName("take-over");
      const prefix = uniqueName("debezium").replaceAll("-", "_");
      const json = "org.apache.kafka.connect.json.JsonConverter";
      const properties = {
        ...groupProperties(kafka.bootstrap, group),
        "key.converter": json,
        "key.converter.schemas.enable": "false",
        "value.converter": json,
        "value.converter.schemas.enable": "false",
        // The dead JVM worker is to be forgotten soon.
        "session.timeout.ms": "6000",
        "heartbeat.interval.ms": "1000",
      };
      const plugins = join(dir, "plugins");
      mkdirSync(plugins);
      await promisify(execFile)("tar", ["xzf", await debeziumArchive(), "-C", plugins]);
      const jvm = await startJvmWorker({
        dir: join(dir, "jvm"),
        heap: "400m",
        properties: { ...properties, "plugin.path": plugins },
      });
      closing.unshift(() => jvm.kill());

      // Slot, publication and all else have Debezium's defaults.
      const config = {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "database.hostname": "127.0.0.1",
        "database.port": String(server.port),
        "database.user": "headrace",
        "database.password": "x",
        "database.dbname": database.name,
        "topic.prefix": prefix,
        "plugin.name": "pgoutput",
        "max.batch.size": "50",
      };
      const name = uniqueName("lines");
      const answer = await fetch(`${jvm.url}/connectors/${name}/config`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(config),
        signal: AbortSignal.timeout(60_000),
      });
      assert.ok(answer.ok, await answer.text());
      const follows = () => database.rows("SELECT FROM pg_replication_slots WHERE slot_name = 'debezium' AND active");
      await until(DEADLINE_MS, "Debezium follows the changes", async () => (await follows()).length === 1);

      let writing = true;
      const session = await database.connect();
      const writer = (async () => {
        while (writing) {
          await session.run(`INSERT INTO lines (n) SELECT 0 FROM generate_series(1, ${ROWS})`);
          await sleep(100);
        }
      })();
      closing.unshift(async () => {
        writing = false;
        await writer;
      });
      const reader = openCommittedReader(kafka.bootstrap, `${prefix}.public.lines`);
      closing.unshift(() => reader.close());
      const offsets = openCommittedReader(kafka.bootstrap, `${group}-offsets`);
      closing.unshift(() => offsets.close());
      /** The last offset that Debezium has stored; ours know the place of the commit as well. */
      const stored = () => {
        const own = offsets.records.filter(({ key }) => key?.includes(name));
        const values: unknown[] = own.map(({ value }) => JSON.parse(value ?? "null"));
        return Offset.safeParse(values.findLast((value) => !("commit" in Object(value)))).data;
      };
      const events = () => reader.records.map(({ value }) => Event.parse(JSON.parse(value ?? "")));
      const ofDebezium = ({ source }: z.output<typeof Event>) => source.version === "3.4.0.Final";
      await until(DEADLINE_MS, "Debezium stores offsets of the stream", async () => (stored()?.lsn_commit ?? 0) > 0);
      await until(DEADLINE_MS, "Debezium has given some transactions", async () => reader.records.length > 10 * ROWS);
      await jvm.kill();

      const pluginPath = await buildConnectors(["postgres"]);
      const worker = await startWorker({
        dir: join(dir, "headrace"),
        properties: { ...properties, "plugin.path": pluginPath.join(",") },
      });
      closing.unshift(async () => {
        worker.process.signal("SIGTERM");
        await worker.process.exited;
      });
      const isOver = async () => events().filter((event) => !ofDebezium(event)).length > 10 * ROWS;
      await until(DEADLINE_MS, "the next transactions come", isOver);
      writing = false;
      await writer;

      const rows = await database.rows("SELECT id, xmin::text AS xid FROM lines ORDER BY id");
      const newest = Number(rows.at(-1)?.["id"]);
      await until(DEADLINE_MS, `row ${newest} has come`, async () => events().at(-1)?.after.id === newest);

      const all = events();
      const idsOf = (some: typeof all) => some.map(({ after }) => after.id);
      const theirs = idsOf(all.filter(ofDebezium));
      const ours = idsOf(all.filter((event) => !ofDebezium(event)));
      const last = stored();
      assert.ok(last);
      const [first = 0] = ours;
      assert.deepEqual(
        ours,
        rows.map(({ id }) => Number(id)).filter((id) => id >= first),
        "each row once and in order",
      );
      assert.ok(first <= Math.max(...theirs) + 1, `nothing between ${Math.max(...theirs)} and ${first}`);
      assert.deepEqual(new Set([...theirs, ...ours]).size, rows.length);
      // At most the transaction that the stored offset lies in is given again as a whole.
      const xid = Number(rows.find(({ id }) => id === first)?.["xid"]);
      const isComplete = last.messageType === "COMMIT";
      const due = isComplete ? xid > last.txId : xid >= last.txId;
      assert.ok(due, `transaction ${xid} comes, and ${last.txId} was stored${isComplete ? " as complete" : ""}`);
      const slots = await database.rows("SELECT slot_name FROM pg_replication_slots");
      assert.deepEqual(slots, [{ slot_name: "debezium" }]);
      const publications = await database.rows("SELECT pubname FROM pg_publication");
      assert.deepEqual(publications, [{ pubname: "dbz_publication" }]);
    } finally {
      for (const close of closing) await close();
    }
  });
});
