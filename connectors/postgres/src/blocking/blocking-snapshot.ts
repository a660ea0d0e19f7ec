import { randomBytes } from "node:crypto";
import { ConfigError, type OffsetMap, type SourceRecord, type SourceTaskContext } from "@headrace/sdk";
import type { Client } from "pg";
import { listPublished, nameOf, type TableId } from "../capture/database.ts";
import { createSlot } from "../capture/replication.ts";
import { type Settings, selectOverride } from "../capture/settings.ts";
import { createSnapshot, importView, labelled, type Snapshot } from "../capture/snapshot.ts";
import { quote, withAbortOfAll } from "../connection.ts";
import { fromCollections, joined, type QueuedTable, toCollections } from "../incremental/progress.ts";
import { isConditionsFault } from "../signals/signals.ts";
import type { TypeCatalog } from "../types/pg-type.ts";

export interface BlockingOptions {
  readonly settings: Settings;
  readonly types: TypeCatalog;
  readonly log: SourceTaskContext["log"];
  /** Of the stored offset. */
  readonly tables: readonly QueuedTable[];
  readonly now: () => number;
  /** Connects. */
  readonly open: (signal: AbortSignal, replication?: boolean) => Promise<Client>;
  /** Ends such a connection; never rejects. */
  readonly close: (client: Client) => Promise<void>;
}

/** A row that was read, without its offset. */
export type ReadRow = Pick<SourceRecord, "topic" | "key" | "value">;

interface Reading {
  /** What the tables are as of: each transaction that commits before this place, and none behind it, is in what is read. */
  readonly point: bigint;
  readonly readers: readonly Client[];
  readonly snapshot: Snapshot;
  /** What is read, each table once; what else is wanted of it is read at another place. */
  readonly tables: readonly QueuedTable[];
  /** The last record so far, which may be the last of all. */
  held: SourceRecord | null;
}

const ENTRY = "blocking_snapshot_collections";

/** What a signal has given for a table: a whole SELECT, as with Debezium, or a condition, as for incremental snapshots. */
function toSelect({ schema, table, isRoot }: TableId, filter: string): string {
  if (/^\s*(select|with)\b/i.test(filter)) return filter.trim().replace(/;$/, "");
  return `SELECT * FROM ${isRoot ? "" : "ONLY "}${quote(schema)}.${quote(table)} WHERE (${filter})`;
}

/** Of a stored offset. Throws ConfigError. */
export function tablesOf(offset: OffsetMap): readonly QueuedTable[] {
  const text = offset[ENTRY] ?? null;
  if (text === null) return [];
  try {
    return fromCollections(String(text));
  } catch (cause) {
    throw new ConfigError(`${ENTRY} of the offset cannot be read: leave it out to end that snapshot`, { cause });
  }
}

/**
 * Reads tables again at one place of the stream, which stands still meanwhile, as rows of a signal table ask for.
 *
 * Guarantees: the rows are those of the place of the log at which they are given, so that events of theirs before are older, and those behind newer.
 * Tables that are left to be read are part of every offset: after a kill they are read at another place, those that were read to their
 * end are not, and rows of the table under way come again.
 */
export class BlockingSnapshot {
  readonly #options: BlockingOptions;
  #tables: readonly QueuedTable[];
  #reading: Reading | null = null;

  constructor(options: BlockingOptions) {
    this.#options = options;
    this.#tables = options.tables;
  }

  /** Goes into every offset. */
  entries(): OffsetMap {
    return this.#tables.length === 0 ? {} : { [ENTRY]: toCollections(this.#tables) };
  }

  /** More tables to be read. */
  queue(tables: readonly QueuedTable[]): void {
    this.#tables = joined(this.#tables, tables);
  }

  /** The connections are gone: what was not read to its end is read again. */
  restart(): void {
    this.#reading = null;
  }

  /** All tables are read anew by other means. */
  forget(): void {
    this.restart();
    this.#tables = [];
  }

  /** Whether tables are to be read, and the stream must not go on before {@link prepare} has been called. */
  isUnprepared(): boolean {
    return this.#tables.length > 0 && this.#reading === null;
  }

  /** Whether the stream is to go on to a certain place. */
  isWaiting(): boolean {
    return this.#reading !== null;
  }

  /** Whether the stream has to stand still: all transactions that commit before `place` have been given. */
  isDue(place: bigint): boolean {
    return this.#reading !== null && place >= this.#reading.point;
  }

  /** Fixes the place of the log at which tables are read; waits for transactions that are running. */
  async prepare(database: string, signal: AbortSignal): Promise<void> {
    const { settings, types, log, now, open, close } = this.#options;
    // PostgreSQL itself tells what a slot's beginning sees. One of a task that was killed may be there for a while.
    const name = `${settings["slot.name"].slice(0, 40)}_blocking_${randomBytes(6).toString("hex")}`;
    const wanted = [...new Map(this.#tables.toReversed().map((table) => [table.name, table])).values()].toReversed();
    const replication = await open(signal, true);
    const { snapshot: exported, start } = await createSlot(replication, { name, temporary: true }, signal);
    const readers: Client[] = [];
    for (let index = 0; index < Math.min(settings["snapshot.max.threads"], wanted.length); index += 1)
      readers.push(await open(signal));
    const tables = await withAbortOfAll(readers, signal, async () => {
      for (const reader of readers) await importView(reader, exported);
      const [first] = readers;
      return first === undefined ? [] : await this.#find(first, wanted);
    });
    await close(replication);
    const filters = new Map(wanted.map((table) => [table.name, table.filter]));
    const rowsOf = (table: TableId) => {
      const filter = filters.get(nameOf(table)) ?? null;
      return filter === null ? selectOverride(settings, nameOf(table)) : toSelect(table, filter);
    };
    const view = { database, lsn: start, micros: BigInt(now()) * 1_000n, done: { snapshot: "done" } };
    const snapshot = createSnapshot({ settings, types, view, tables, rowsOf, clients: readers, now });
    this.#reading = { point: start, readers, snapshot, tables: wanted, held: null };
    log.info({ tables: tables.map(nameOf) }, "tables are read by a blocking snapshot");
  }

  async #find(client: Client, wanted: readonly QueuedTable[]): Promise<readonly TableId[]> {
    const all = await listPublished(client, this.#options.settings);
    return wanted.flatMap(({ name }) => {
      const found = all.find((table) => nameOf(table) === name);
      if (found !== undefined) return [found];
      const reason = "it is not captured any more";
      this.#options.log.warn({ table: name, reason }, "not read by the blocking snapshot");
      return [];
    });
  }

  /** Reads about `limit` rows once that is due, and gives them in their order: the offset of each is to have the entries of that moment. */
  async read(limit: number, give: (row: ReadRow) => void, signal: AbortSignal): Promise<void> {
    const reading = this.#reading;
    if (reading === null) return;
    try {
      const batch = await withAbortOfAll(reading.readers, signal, () => reading.snapshot.next(limit));
      const records = reading.held === null ? [...batch.records] : [reading.held, ...batch.records];
      const last = records.pop() ?? null;
      for (const record of records) this.#give(reading, record, give);
      reading.held = last;
      if (!batch.done) return;
      this.#tables = this.#tables.filter((table) => !reading.tables.includes(table));
      if (last !== null) give(labelled(last, "last"));
      this.#options.log.info(
        { tables: reading.tables.map(({ name }) => name) },
        "tables were read by a blocking snapshot",
      );
    } catch (error) {
      if (!this.#leavesOut(reading, error)) throw error;
      // Perhaps the last of its table, which is not to be read again then.
      if (reading.held !== null) this.#give(reading, reading.held, give);
    }
    this.#reading = null;
    await Promise.all(reading.readers.map(this.#options.close));
  }

  #give(reading: Reading, record: SourceRecord, give: (row: ReadRow) => void): void {
    if (record.sourceOffset["snapshot"] === "done") {
      const table = record.sourcePartition["table"];
      const done = reading.tables.find(({ name }) => name === table);
      this.#tables = this.#tables.filter((each) => each !== done);
    }
    give(record);
  }

  /** A statement that a signal has given will never be another one: its table is left out, and the others are read at another place. */
  #leavesOut({ snapshot, tables }: Reading, error: unknown): boolean {
    const table = snapshot.failed();
    const found = table === null ? undefined : tables.find(({ name }) => name === nameOf(table));
    if (found === undefined || found.filter === null || !isConditionsFault(error)) return false;
    const reason = `its condition cannot be evaluated: ${error instanceof Error ? error.message : String(error)}`;
    this.#options.log.warn({ table: found.name, reason }, "not read by the blocking snapshot");
    this.#tables = this.#tables.filter((each) => each !== found);
    return true;
  }
}
