import { DataError, RetriableError, type SinkRecord, type SinkTask, type SinkTaskContext } from "@headrace/sdk";
import { withAbort } from "../database.ts";
import { alikeRuns } from "./alike.ts";
import { type Change, toChange } from "./row.ts";
import type { SinkSettings } from "./settings.ts";
import type { SinkDatabase, Table } from "./sink-database.ts";
import { createStoredOffsets } from "./stored-offsets.ts";
import { ensureTable } from "./table.ts";

/** A record that the database, or the sink, cannot take. */
interface Refusal {
  readonly record: SinkRecord;
  readonly error: unknown;
}

/** Creates the task of a sink: each batch is one transaction; what it connects to is opened with the first of them. */
export function createSinkTask<C>(
  database: SinkDatabase<C>,
  settings: SinkSettings,
  context: SinkTaskContext,
): SinkTask {
  const offsets = settings["exactly.once.enabled"]
    ? createStoredOffsets(database.positionTable(settings["offsets.table"]), context.connector)
    : null;
  const written = context.metrics.counter("rows-written", "Rows written or deleted.");
  const closing = new AbortController();
  let connection: C | null = null;
  let tables = new Map<string, Table | null>();

  const isOfRecord = (error: unknown) =>
    !(error instanceof RetriableError) && (error instanceof DataError || database.isOfRecord(error));

  async function disconnect(): Promise<void> {
    const open = connection;
    connection = null;
    tables = new Map();
    if (open !== null) await database.close(open);
  }

  /** Runs something on the connection; whatever fails there costs the connection. */
  async function using<T>(signal: AbortSignal, run: (open: C) => Promise<T>): Promise<T> {
    try {
      if (connection !== null && !database.isOpen(connection)) await disconnect();
      connection ??= await database.connect(signal);
      const open = connection;
      return await withAbort(database, open, () => run(open), signal);
    } catch (error) {
      await disconnect();
      throw database.toRetriable(error);
    }
  }

  async function transaction(open: C, run: () => Promise<void>): Promise<void> {
    await database.run(open, "BEGIN");
    try {
      await run();
      await database.run(open, "COMMIT");
    } catch (error) {
      tables = new Map();
      await database.run(open, "ROLLBACK").catch(() => {}); // On a broken connection there is nothing to roll back.
      throw error;
    }
  }

  async function tableFor(open: C, change: Change): Promise<Table | null> {
    const { table: name } = change;
    const known = tables.get(name) ?? (await database.readTable(open, name));
    const table = await ensureTable(database, open, { change, known, rules: settings });
    tables.set(name, table);
    return table;
  }

  /** Makes tables ready before the transaction, for a database where that cannot be done within. */
  async function prepare(open: C, changes: readonly Change[]): Promise<void> {
    for (const [head] of alikeRuns(changes)) await tableFor(open, head);
  }

  async function write(open: C, changes: readonly Change[]): Promise<void> {
    for (const run of alikeRuns(changes)) {
      const [head] = run;
      const table = database.hasTransactionalDdl ? await tableFor(open, head) : tables.get(head.table);
      if (table === undefined) throw new Error(`table ${head.table} was not made ready`);
      // Only deletions are ready without a table.
      if (table === null) continue;
      await database.writeAlike(open, run, { table, mode: settings["insert.mode"] });
    }
  }

  const toDo = async (open: C, records: readonly SinkRecord[]) =>
    offsets === null ? records : await offsets.advance(open, records);
  const toChanges = (records: readonly SinkRecord[]) => records.map((record) => toChange(record, settings));

  async function deliverTogether(open: C, records: readonly SinkRecord[]): Promise<void> {
    if (!database.hasTransactionalDdl) await prepare(open, toChanges(records));
    await transaction(open, async () => write(open, toChanges(await toDo(open, records))));
  }

  /** With a savepoint for each record, which shows which are at fault. */
  async function deliverSingly(open: C, records: readonly SinkRecord[]): Promise<readonly Refusal[]> {
    const refused: Refusal[] = [];
    const unready = database.hasTransactionalDdl ? new Map<SinkRecord, unknown>() : await prepareSingly(open, records);
    await transaction(open, async () => {
      for (const record of await toDo(open, records)) {
        await database.run(open, "SAVEPOINT record");
        try {
          if (unready.has(record)) throw unready.get(record);
          await write(open, toChanges([record]));
        } catch (error) {
          if (!isOfRecord(error)) throw error;
          await database.run(open, "ROLLBACK TO SAVEPOINT record");
          if (database.hasTransactionalDdl) tables = new Map();
          // Without anybody to report it to, nothing of the batch may count.
          if (context.errantRecords === null) throw error;
          refused.push({ record, error });
        }
      }
      // Before the positions are stored, so that a crash in between repeats a report and loses none.
      for (const { record, error } of refused) await context.errantRecords?.report(record, error);
    });
    return refused;
  }

  /** Tables for each of the records; what is wrong with some of them. */
  async function prepareSingly(open: C, records: readonly SinkRecord[]): Promise<ReadonlyMap<SinkRecord, unknown>> {
    const unready = new Map<SinkRecord, unknown>();
    for (const record of records) {
      try {
        await prepare(open, toChanges([record]));
      } catch (error) {
        if (!isOfRecord(error)) throw error;
        unready.set(record, error);
      }
    }
    return unready;
  }

  async function deliver(records: readonly SinkRecord[], signal: AbortSignal): Promise<void> {
    const refused = await using(signal, async (open): Promise<readonly Refusal[]> => {
      try {
        await deliverTogether(open, records);
        return [];
      } catch (error) {
        if (!isOfRecord(error)) throw error;
        return await deliverSingly(open, records);
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
