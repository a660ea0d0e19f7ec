import { setTimeout as sleep } from "node:timers/promises";
import { DataError, type OffsetMap, RetriableError, type SourceRecord, type Value } from "@headrace/sdk";
import type { Client, QueryArrayConfig } from "pg";
import type { OneStatement } from "../connection.ts";
import { AS_TEXT } from "../types/as-text.ts";
import type { TypeCatalog } from "../types/pg-type.ts";
import { describeTable, selectStatement, type TableId, whileUnchanged } from "./database.ts";
import { type ChangeSource, envelope } from "./envelope.ts";
import type { Row } from "./pgoutput.ts";
import type { Settings } from "./settings.ts";
import { type CapturedTable, decodeRow, keyOf, shownRow } from "./table.ts";

/** What all tables of one reading have in common. */
export interface SnapshotView {
  readonly database: string;
  /** Of the events: where the log was. */
  readonly lsn: bigint;
  /** When, in microseconds since the epoch. */
  readonly micros: bigint;
  /** Offset of the last record of each table, by which a table that was read is known again. */
  readonly done: OffsetMap;
}

export interface SnapshotOptions {
  readonly settings: Settings;
  readonly types: TypeCatalog;
  readonly view: SnapshotView;
  readonly tables: readonly TableId[];
  /** The SELECT that gives the rows of a table; null: all of them. */
  readonly rowsOf: (table: TableId) => string | null;
  /** Connections with transactions that all see the same; each reads one table at a time. */
  readonly clients: readonly Client[];
  readonly now: () => number;
}

/** Reads tables, several at a time, and knows of each which of its rows is the last. */
export interface Snapshot {
  /** The next records; `done` once there are no more. */
  next(limit: number): Promise<{ readonly records: readonly SourceRecord[]; readonly done: boolean }>;
  /** What has been read to its end since the last call. */
  finished(): readonly TableId[];
  /** The table whose reading has failed; null: none has. */
  failed(): TableId | null;
}

const CURSOR = "headrace_snapshot";

interface Reading {
  readonly id: TableId;
  readonly table: CapturedTable;
  /** The row that may be the last; null: none yet. */
  held: Row | null;
  given: number;
}

/** Partition of a table's records while it is read; the stream's has only the server. */
export function snapshotPartition(prefix: string, { schema, table }: TableId): OffsetMap {
  return { server: prefix, table: `${schema}.${table}` };
}

/** Begins to read. */
export function createSnapshot(options: SnapshotOptions): Snapshot {
  const { settings, types, view } = options;
  const waiting = [...options.tables];
  const readings = new Map<Client, Reading>();
  let finished: TableId[] = [];
  let failed: TableId | null = null;
  let first = true;

  async function begin(client: Client, id: TableId): Promise<Reading> {
    const table = await describeTable(client, types, settings, id);
    const rows = options.rowsOf(id);
    const statement = await selectStatement(client, id, rows);
    // PostgreSQL takes no second statement behind it then, whoever has given the first.
    const declare: OneStatement = {
      text: `DECLARE ${CURSOR} NO SCROLL CURSOR FOR ${statement}`,
      queryMode: "extended",
    };
    await whileUnchanged(client, id, rows === null, () => client.query(declare));
    return { id, table, held: null, given: 0 };
  }

  function toRecord({ id, table, given }: Reading, row: Row, isLast: boolean): SourceRecord {
    const snapshot = isLast ? "last_in_data_collection" : given === 0 ? "first_in_data_collection" : "true";
    const source: ChangeSource = {
      prefix: settings["topic.prefix"],
      database: view.database,
      schema: id.schema,
      table: id.table,
      snapshot,
      micros: view.micros,
      xid: null,
      lsn: view.lsn,
      lastCommit: null,
    };
    const after = decodeWholeRow(table, row);
    const shown = shownRow(table, after);
    const value = envelope({ before: null, after: shown, source, transaction: null, op: "r", now: options.now() });
    return {
      topic: table.topic,
      key: keyOf(table, after),
      value: { schema: table.envelope, value },
      sourcePartition: snapshotPartition(settings["topic.prefix"], id),
      sourceOffset: isLast ? view.done : { ...view.done, snapshot: "running" },
    };
  }

  async function attributed<T>(id: TableId, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      failed ??= id;
      throw error;
    }
  }

  async function read(client: Client, limit: number): Promise<readonly SourceRecord[]> {
    let reading = readings.get(client);
    if (reading === undefined) {
      const id = waiting.shift();
      if (id === undefined) return [];
      reading = await attributed(id, begin(client, id));
      readings.set(client, reading);
    }
    const query: QueryArrayConfig = { text: `FETCH ${limit} FROM ${CURSOR}`, rowMode: "array", types: AS_TEXT };
    const { rows } = await attributed(reading.id, client.query<(string | null)[]>(query));
    const isEnd = rows.length < limit;
    const all = reading.held === null ? rows : [reading.held, ...rows];
    const given = isEnd ? all : all.slice(0, -1);
    reading.held = isEnd ? null : (all.at(-1) ?? null);
    const records: SourceRecord[] = [];
    for (const [index, row] of given.entries()) {
      records.push(toRecord(reading, row, isEnd && index === given.length - 1));
      reading.given += 1;
    }
    if (isEnd) {
      await client.query(`CLOSE ${CURSOR}`);
      readings.delete(client);
      finished.push(reading.id);
    }
    return records;
  }

  return {
    async next(limit) {
      const share = Math.max(1, Math.floor(limit / options.clients.length));
      const batches = await Promise.all(options.clients.map((client) => read(client, share)));
      const records = batches.flat();
      const [head, ...others] = records;
      const done = readings.size === 0 && waiting.length === 0;
      if (head === undefined || !first) return { records, done };
      first = false;
      return { records: [labelled(head, "first"), ...others], done };
    },
    finished() {
      const all = finished;
      finished = [];
      return all;
    },
    failed: () => failed,
  };
}

/** The same event with another mark of its place in the whole reading. */
export function labelled(record: SourceRecord, snapshot: "first" | "last"): SourceRecord {
  const { schema, value } = record.value;
  const event = isRecord(value) ? value : {};
  const source = isRecord(event["source"]) ? event["source"] : {};
  return { ...record, value: { schema, value: { ...event, source: { ...source, snapshot } } } };
}

function isRecord(value: Value | undefined): value is Readonly<Record<string, Value>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** A row that was read, not followed: it has all its values. Throws DataError for one that the schema cannot hold. */
export function decodeWholeRow(table: CapturedTable, row: Row): Readonly<Record<string, Value>> {
  try {
    const { value, missing } = decodeRow(table, row, "");
    if (missing.size > 0) throw new DataError(`column ${[...missing].join(", ")} has a value without counterpart`);
    return value;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(`table ${table.schema}.${table.table}: ${reason}`, { cause });
  }
}

/** Longest wait for transactions that are running, ms; then it is tried again later. */
const SETTLE_MS = 10_000;
const PAUSE_MS = 50;

/**
 * Opens a transaction for reading after the slot has begun, and gives the name by which others can share what it sees. Every transaction that the
 * slot does not have must be visible in it: that is sure once all that were running when this was asked for have ended. Throws
 * RetriableError while there are such.
 */
export async function openFreshView(client: Client, signal: AbortSignal): Promise<string> {
  // A number of its own: all that are running have smaller ones.
  const { rows } = await client.query<{ own: string }>("SELECT pg_current_xact_id()::text AS own");
  const horizon = BigInt(rows[0]?.own ?? 0);
  for (let waited = 0; waited <= SETTLE_MS; waited += PAUSE_MS) {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const found = await client.query<{ id: string; xmin: string }>(
      "SELECT pg_export_snapshot() AS id, pg_snapshot_xmin(pg_current_snapshot())::text AS xmin",
    );
    const [view] = found.rows;
    if (view !== undefined && BigInt(view.xmin) > horizon) return view.id;
    await client.query("ROLLBACK");
    await sleep(PAUSE_MS, undefined, { signal });
  }
  throw new RetriableError("tables can be read once the transactions that are running have ended");
}

/** Opens a transaction that sees what an exported snapshot sees. */
export async function importView(client: Client, id: string): Promise<void> {
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  await client.query(`SET TRANSACTION SNAPSHOT '${id.replaceAll("'", "''")}'`);
}
