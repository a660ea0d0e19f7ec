import { config, type OffsetMap, type SchemaAndValue, type SourceTaskContext, toJsonText } from "@headrace/sdk";
import type { Client } from "pg";
import { listPublished, type TableId } from "../capture/database.ts";
import { envelope } from "../capture/envelope.ts";
import type { Row } from "../capture/pgoutput.ts";
import type { Settings } from "../capture/settings.ts";
import { decodeWholeRow } from "../capture/snapshot.ts";
import { type CapturedTable, keyOf } from "../capture/table.ts";
import { sqlState } from "../connection.ts";
import type { TypeCatalog } from "../types/pg-type.ts";
import { type Chunk, readChunk } from "./chunk.ts";
import { advanced, IDLE, type Progress, queued, stopped, toEntries } from "./progress.ts";
import { parseSignal } from "./signal.ts";
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

  /** The stream has an event of this key; null: of all rows. */
  changed({ schema, table }: CapturedTable, key: SchemaAndValue | null): void {
    const chunk = this.#chunk;
    if (chunk === null || chunk.table.schema !== schema || chunk.table.table !== table) return;
    chunk.window.changed(key === null ? null : toJsonText(key));
  }

  /** A row of the signal table. Whether that has changed the progress, which no offset has yet. */
  async signal([id = null, type = null, data = null]: Row, client: Client): Promise<boolean> {
    const { log } = this.#options;
    const signal = parseSignal(type ?? "", data);
    switch (signal.kind) {
      case "execute": {
        const all = (await listPublished(client, this.#options.settings)).map(nameOf);
        const tables = signal.tables.flatMap(({ pattern, filter }) => {
          const expression = config.fullMatch(pattern);
          const matching = all.filter((name) => expression.test(name));
          if (matching.length === 0) log.warn({ signal: id, table: pattern }, "no captured table has this name");
          return matching.map((name) => ({ name, filter }));
        });
        log.info({ signal: id, tables: tables.map(({ name }) => name) }, "an incremental snapshot was asked for");
        this.#set(queued(this.#progress, tables));
        return tables.length > 0;
      }
      case "stop": {
        this.#set(stopped(this.#progress, signal.patterns));
        log.info({ signal: id, tables: signal.patterns }, "the incremental snapshot was stopped");
        return true;
      }
      case "pause":
      case "resume":
        if (this.#progress.tables.length === 0) {
          log.warn({ signal: id, type }, "there is no incremental snapshot");
          return false;
        }
        this.#set({ ...this.#progress, paused: signal.kind === "pause" });
        log.info({ signal: id, type }, "incremental snapshot");
        return true;
      case "log":
        log.info({ signal: id }, signal.message);
        return false;
      case "unusable":
        log.warn({ signal: id, type, reason: signal.reason }, "a signal cannot be followed");
        return false;
      default:
        throw new Error(`unreachable: ${signal satisfies never}`);
    }
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
      if (wanted.filter === null || !CONDITIONS_FAULT.test(sqlState(error) ?? "")) throw error;
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
    const waiting = rows.map((each): ChunkRow<typeof each> => ({ key: rowKey(table, each.row), row: each }));
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
    const value = envelope({ before: null, after, source, transaction: null, op: "r", now: now() });
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

/** Data exceptions, writing in a transaction that only reads, syntax and names. Source: PostgreSQL, Appendix A. */
const CONDITIONS_FAULT = /^(22|25006|42)/;

const nameOf = ({ schema, table }: Pick<TableId, "schema" | "table">): string => `${schema}.${table}`;

function rowKey(table: CapturedTable, row: Row): string {
  const key = keyOf(table, decodeWholeRow(table, row));
  return key === null ? "" : toJsonText(key);
}
