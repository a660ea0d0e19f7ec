import {
  config,
  DataError,
  defineSink,
  RetriableError,
  type SinkRecord,
  type SinkTask,
  type SinkTaskContext,
} from "@headrace/sdk";
import type { Client } from "pg";
import { z } from "zod";
import { CONNECTION_KEYS, connect, sqlState, toRetriable, urlProblem, withAbort } from "./connection.ts";
import { type Change, toChange } from "./row.ts";
import { createStoredOffsets, type StoredOffsets } from "./stored-offsets.ts";
import { ensureTable, readTable, type Table } from "./table.ts";
import { isAlike, writeAlike } from "./write.ts";

const KEYS = {
  ...CONNECTION_KEYS,
  ...config.group("Writes", {
    "insert.mode": config
      .anyCaseOf("insert", "upsert", "update")
      .default("insert")
      .describe("What becomes of a record: a new row, a new row or a changed one by its key, or a changed one."),
    "batch.size": config.int({ min: 1 }).default(3000).describe("Most records of one transaction."),
    "delete.enabled": config
      .boolean()
      .default(false)
      .describe("Records without value delete the row of their key; needs pk.mode=record_key."),
    "exactly.once.enabled": config
      .boolean()
      .default(false)
      .describe(
        "Keep the positions in the database, changed by the transactions that write the rows: each record counts once.",
      ),
    "offsets.table": config.text().default("headrace_offsets").describe("Table of these positions; it is created."),
  }),
  ...config.group("Data Mapping", {
    "table.name.format": config.text().default("${topic}").describe("Name of the table, also schema.table."),
    "pk.mode": config
      .anyCaseOf("none", "kafka", "record_key", "record_value")
      .default("none")
      .describe("Where the key is taken from: nowhere, the record's place in Kafka, its key or its value."),
    "pk.fields": config
      .list()
      .default([])
      .describe("Columns of the key; empty: all fields of the record's key, or the names that kafka has."),
    "fields.whitelist": config.list().default([]).describe("Fields of the value that are written; empty: all."),
  }),
  ...config.group("DDL Support", {
    "auto.create": config
      .boolean()
      .default(false)
      .describe("Create tables that are missing, from the records' schemas."),
    "auto.evolve": config.boolean().default(false).describe("Add columns that are missing; they admit NULL."),
  }),
};

const CONFIG = z.object(KEYS).superRefine((given, context) => {
  const complain = (key: string, message: string | null) => {
    if (message !== null) context.addIssue({ code: "custom", path: [key], message });
  };
  complain("connection.url", urlProblem(given["connection.url"]));
  const mode = given["pk.mode"];
  if (given["insert.mode"] !== "insert" && mode === "none")
    complain("pk.mode", `insert.mode=${given["insert.mode"]} needs a key`);
  if (given["delete.enabled"] && mode !== "record_key") complain("pk.mode", "delete.enabled needs pk.mode=record_key");
  if (mode === "record_value" && given["pk.fields"].length === 0)
    complain("pk.fields", "pk.mode=record_value needs the key's fields");
  if (mode === "kafka" && ![0, 3].includes(given["pk.fields"].length)) {
    complain("pk.fields", "pk.mode=kafka needs three names, for topic, partition and offset, or none");
  }
});
type Config = z.output<typeof CONFIG>;

/**
 * Writes records into tables, each batch in one transaction.
 *
 * Guarantees: offsets are committed only after the transaction has been; order of changes per row. With `exactly.once.enabled`, or by keys
 * in mode upsert, a record that comes again changes nothing.
 */
export const postgresSink = defineSink({
  name: "postgres-sink",
  version: "0.1.0",
  config: CONFIG,
  async validate(settings, signal) {
    try {
      const client = await connect(settings, signal);
      await client.end();
      return {};
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { "connection.url": [`cannot connect: ${message}`] };
    }
  },
  openTask: async (settings, context) => createTask(settings, context),
  alterOffsets: (settings) => !settings["exactly.once.enabled"],
});

function createTask(settings: Config, context: SinkTaskContext): SinkTask {
  const offsets = settings["exactly.once.enabled"]
    ? createStoredOffsets(settings["offsets.table"], context.connector)
    : null;
  const written = context.metrics.counter("rows-written", "Rows written or deleted.");
  const closing = new AbortController();
  let client: Client | null = null;
  let tables = new Map<string, Table | null>();

  async function disconnect(): Promise<void> {
    const open = client;
    client = null;
    tables = new Map();
    await open?.end().catch(() => {}); // It may be broken already; nothing is lost with it.
  }

  /** Runs something on the connection; whatever fails there costs the connection. */
  async function using<T>(signal: AbortSignal, run: (open: Client) => Promise<T>): Promise<T> {
    try {
      client ??= await connect(settings, signal);
      const open = client;
      return await withAbort(open, signal, () => run(open));
    } catch (error) {
      await disconnect();
      throw toRetriable(error);
    }
  }

  async function transaction(open: Client, run: () => Promise<void>): Promise<void> {
    await open.query("BEGIN");
    try {
      await run();
      await open.query("COMMIT");
    } catch (error) {
      tables = new Map();
      await open.query("ROLLBACK").catch(() => {}); // On a broken connection there is nothing to roll back.
      throw error;
    }
  }

  async function write(open: Client, changes: readonly Change[]): Promise<void> {
    let run: Change[] = [];
    const flush = async () => {
      const [head] = run;
      if (head === undefined) return;
      if (!tables.has(head.table)) tables.set(head.table, await readTable(open, head.table));
      const table = await ensureTable(open, head, tables.get(head.table) ?? null, settings);
      tables.set(head.table, table);
      await writeAlike(open, run, table, settings["insert.mode"]);
      run = [];
    };
    for (const change of changes) {
      const [head] = run;
      if (head !== undefined && !isAlike(head, change)) await flush();
      run.push(change);
    }
    await flush();
  }

  /** All in one transaction; if a record is at fault, once more with a savepoint each, which shows which. */
  async function deliver(records: readonly SinkRecord[], signal: AbortSignal): Promise<void> {
    const refused: { readonly record: SinkRecord; readonly error: unknown }[] = [];
    await using(signal, async (open) => {
      try {
        await transaction(open, async () => {
          const fresh = await toDo(offsets, open, records);
          await write(
            open,
            fresh.map((record) => toChange(record, settings)),
          );
        });
      } catch (error) {
        if (!isOfRecord(error)) throw error;
        await transaction(open, async () => {
          for (const record of await toDo(offsets, open, records)) {
            await open.query("SAVEPOINT record");
            try {
              await write(open, [toChange(record, settings)]);
            } catch (cause) {
              if (!isOfRecord(cause)) throw cause;
              await open.query("ROLLBACK TO SAVEPOINT record");
              tables = new Map();
              // Without anybody to report it to, nothing of the batch may count.
              if (context.errantRecords === null) throw cause;
              refused.push({ record, error: cause });
            }
          }
          // Before the positions are stored, so that a crash in between repeats a report and loses none.
          for (const { record, error: cause } of refused) await context.errantRecords?.report(record, cause);
        });
      }
    });
    written.add(records.length - refused.length);
  }

  return {
    async open(partitions) {
      if (offsets === null) return;
      const stored = await using(closing.signal, async (open) => {
        await offsets.create(open);
        return await offsets.read(open, partitions);
      });
      for (const position of stored) context.rewind(position);
    },
    async put(records, signal) {
      for (let from = 0; from < records.length; from += settings["batch.size"]) {
        await deliver(records.slice(from, from + settings["batch.size"]), signal);
      }
    },
    async close() {
      closing.abort();
      await disconnect();
    },
  };
}

async function toDo(
  offsets: StoredOffsets | null,
  open: Client,
  records: readonly SinkRecord[],
): Promise<readonly SinkRecord[]> {
  return offsets === null ? records : await offsets.advance(open, records);
}

/** Bad data, a violated constraint, a wrong type, a column that is not there: another record may do. */
const OF_RECORD = /^(22|23|42804|42703|42846|P0001)/;

function isOfRecord(error: unknown): boolean {
  if (error instanceof RetriableError) return false;
  return error instanceof DataError || OF_RECORD.test(sqlState(error) ?? "");
}
