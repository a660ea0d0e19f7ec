import type { OffsetMap, SchemaAndValue, SourceTaskContext } from "@headrace/sdk";
import type { Client } from "pg";
import type { ChangedRow } from "../capture/changes.ts";
import { listPublished, nameOf } from "../capture/database.ts";
import { envelope } from "../capture/envelope.ts";
import type { Row } from "../capture/pgoutput.ts";
import type { Settings } from "../capture/settings.ts";
import { decodeWholeRow } from "../capture/snapshot.ts";
import { type CapturedTable, keyOf, shownRow } from "../capture/table.ts";
import { isConditionsFault } from "../signals/signals.ts";
import type { TypeCatalog } from "../types/pg-type.ts";
import { type Chunk, readChunk } from "./chunk.ts";
import { advanced, IDLE, joined, type Progress, type QueuedTable, stopped, toEntries } from "./progress.ts";
import { type ChunkRow, SeenTransactions, Window } from "./window.ts";

export interface IncrementalOptions {
  readonly settings: Settings;
  readonly types: TypeCatalog;
  readonly log: SourceTaskContext["log"];
  /** Of the stored offset. */
  readonly progress: Progress;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What a row becomes, without its offset. */
export interface ReadRow {
  readonly topic: string;
  readonly key: SchemaAndValue | null;
  readonly value: SchemaAndValue;
}

/** Where the stream is, for the events of rows that are read beside it. */
export interface StreamPlace {
  readonly database: string;
  readonly lsn: bigint;
}

interface OpenChunk {
  readonly table: CapturedTable;
  readonly window: Window<{ readonly row: Row; readonly key: readonly string[] }>;
  /** Key of the last row that was read, given or not; null: no row. */
  readonly end: readonly string[] | null;
  readonly isLast: boolean;
  readonly given: number;
}

/**
 * Reads tables again while the stream of changes goes on, chunk by chunk in the order of their keys, as rows of a signal table ask for.
 *
 * Guarantees: whatever a consumer takes last of a key is its newest state; a row is given only if the stream has no event of it between the place
 * at which it was read and the place at which it is given. Progress is part of every offset while it lasts, so that a kill repeats nothing.
 */
export class IncrementalSnapshot {
  readonly #options: IncrementalOptions;
  readonly #seen = new SeenTransactions();
  #progress: Progress;
  #entries: OffsetMap;
  #chunk: OpenChunk | null = null;
  #rows = 0;

  constructor(options: IncrementalOptions) {
    this.#options = options;
    this.#progress = options.progress;
    this.#entries = toEntries(options.progress);
  }

  /** Goes into every offset. */
  entries(): OffsetMap {
    return this.#entries;
  }

  /** Whether a chunk waits for the stream. */
  isWaiting(): boolean {
    return this.#chunk !== null;
  }

  /** The stream begins again: what was read beside the former one is read again. */
  restart(): void {
    this.#chunk = null;
  }

  /** All tables are read anew by other means. */
  forget(): void {
    this.restart();
    this.#set(IDLE);
  }

  /** The stream has given a transaction. */
  passed(xid: number): void {
    this.#seen.add(xid);
  }

  /** The stream has an event of a row. */
  changed({ schema, table }: CapturedTable, rowOf: () => ChangedRow): void {
    const chunk = this.#chunk;
    if (chunk === null || chunk.table.schema !== schema || chunk.table.table !== table) return;
    const row = rowOf();
    switch (row.kind) {
      case "one":
        chunk.window.changed(row.identity);
        break;
      case "all":
        chunk.window.changed(null);
        break;
      case "unknown":
        // Any of its rows may be older than the event: they are read again.
        this.#chunk = null;
        break;
      default:
        throw new Error(`unreachable: ${row satisfies never}`);
    }
  }

  /** More tables to be read, behind those that are. One that is under way with the same condition is left as it is. */
  queue(tables: readonly QueuedTable[]): void {
    this.#set({ ...this.#progress, tables: joined(this.#progress.tables, tables) });
  }

  /** Tables that one of the patterns matches are not to be read any more; without patterns none are. */
  stop(patterns: readonly string[]): void {
    this.#set(stopped(this.#progress, patterns));
  }

  /** Whether there was something to be paused, or resumed. */
  pause(paused: boolean): boolean {
    if (this.#progress.tables.length === 0) return false;
    this.#set({ ...this.#progress, paused });
    return true;
  }

  /** Reads the next chunk, unless one waits or nothing is to be read. Between transactions of the stream or within one. */
  async advance(client: Client): Promise<void> {
    const [wanted] = this.#progress.tables;
    if (wanted === undefined || this.#chunk !== null || this.#progress.paused) return;
    const { settings, types, log } = this.#options;
    const id = (await listPublished(client, settings)).find((each) => nameOf(each) === wanted.name);
    let reason = "it is not captured any more, or has no primary key";
    let chunk: Chunk | null = null;
    try {
      if (id !== undefined) chunk = await readChunk(client, { types, settings }, id, wanted, this.#progress);
    } catch (error) {
      if (wanted.filter === null || !isConditionsFault(error)) throw error;
      // It will never be another one: whoever has signalled it could not even take it back, if it ended the task.
      await client.query("ROLLBACK");
      reason = `its condition cannot be evaluated: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (chunk === null) {
      log.warn({ table: wanted.name, reason }, "not read by the incremental snapshot");
      this.#rows = 0;
      this.#set(advanced(this.#progress));
      return;
    }
    // Older than what the stream has given: read again, a moment later.
    if (!this.#seen.areVisibleIn(chunk.snapshot)) return;
    const { table, rows, greatest, until } = chunk;
    this.#set({ ...this.#progress, greatest });
    const waiting = rows.map((each): ChunkRow<typeof each> => ({ key: JSON.stringify(each.key), row: each }));
    this.#chunk = {
      table,
      window: new Window(waiting, until),
      end: rows.at(-1)?.key ?? null,
      isLast: rows.length < settings["incremental.snapshot.chunk.size"],
      given: rows.length,
    };
  }

  /**
   * The rows of the chunk that waits, once the stream has passed it, each with the progress that its offset is to have. To be asked between
   * transactions.
   */
  *take(passed: bigint, place: StreamPlace): Generator<ReadRow> {
    const chunk = this.#chunk;
    if (chunk === null || !chunk.window.isOver(passed)) return;
    this.#chunk = null;
    const { table } = chunk;
    for (const { row, key } of chunk.window.rows()) {
      this.#set({ ...this.#progress, last: key });
      this.#rows += 1;
      yield this.#toRow(table, row, place);
    }
    if (chunk.end !== null) this.#set({ ...this.#progress, last: chunk.end });
    if (chunk.isLast) this.#finish();
  }

  #toRow(table: CapturedTable, row: Row, { database, lsn }: StreamPlace): ReadRow {
    const { settings, now } = this.#options;
    const after = decodeWholeRow(table, row);
    const source = {
      prefix: settings["topic.prefix"],
      database,
      schema: table.schema,
      table: table.table,
      snapshot: "incremental" as const,
      micros: BigInt(now()) * 1_000n,
      xid: null,
      lsn,
      lastCommit: null,
    };
    const shown = shownRow(table, after);
    const value = envelope({ before: null, after: shown, source, transaction: null, op: "r", now: now() });
    return { topic: table.topic, key: keyOf(table, after), value: { schema: table.envelope, value } };
  }

  #finish(): void {
    const [table] = this.#progress.tables;
    this.#options.log.info({ table: table?.name, rows: this.#rows }, "a table was read by an incremental snapshot");
    this.#rows = 0;
    this.#set(advanced(this.#progress));
  }

  #set(progress: Progress): void {
    // Rows that wait are of the first table: with another one they are of no use.
    if (progress.tables[0]?.name !== this.#progress.tables[0]?.name) this.#chunk = null;
    this.#progress = progress;
    this.#entries = toEntries(progress);
  }
}
