import { ConfigError, type OffsetMap, type SchemaAndValue, type SourceRecord } from "@headrace/sdk";
import { floorDivide, SECOND } from "../moment.ts";
import { type Position, START, toOffset } from "./position.ts";
import type { Row, RowShape } from "./row-shape.ts";
import type { RowCursor, SourceDatabase } from "./source-database.ts";
import { type Selection, statementOf } from "./statement.ts";

/** What one reader reads. */
export interface ReaderOptions {
  readonly selection: Selection;
  /** Of the table; null: of a query. */
  readonly name: string | null;
  readonly topic: string;
  readonly partition: OffsetMap;
  readonly start: Position;
  readonly rules: {
    readonly "batch.max.rows": number;
    readonly "timestamp.delay.interval.ms": number;
    readonly "validate.non.null": boolean;
  };
}

/** Reads a table over and over, each time what is new, from a cursor that stays open between batches. */
export interface TableReader<C> {
  /** The next batch; `done` once all has been given that was there when this round began. Whatever fails costs the connection. */
  read(connection: C): Promise<{ readonly records: readonly SourceRecord[]; readonly done: boolean }>;
  /** To be called when the connection is gone: the next round begins behind the last record given. */
  reset(): void;
}

/** Creates a reader; a connection has at most one that is not done. */
export function createTableReader<C>(database: SourceDatabase<C>, options: ReaderOptions): TableReader<C> {
  const { selection, rules, name } = options;
  const batch = rules["batch.max.rows"];
  let position = options.start;
  let round: Round | null = null;

  async function begin(connection: C): Promise<Round> {
    const end = await endOf(connection);
    const statement = statementOf(database, selection, { position, end });
    return {
      cursor: await database.openCursor(connection, statement, { batch, name }),
      held: [],
      isChecked: false,
      failure: null,
    };
  }

  /** The second under way is left out: a column may have whole seconds, so that rows of it may come that have a time already given. */
  async function endOf(connection: C): Promise<bigint> {
    if (!selection.mode.startsWith("timestamp")) return 0n;
    const end = (await database.now(connection)) - BigInt(rules["timestamp.delay.interval.ms"]) * 1_000n;
    return floorDivide(end, SECOND) * SECOND;
  }

  return {
    async read(connection) {
      round ??= await begin(connection);
      const { cursor, held, isChecked, failure } = round;
      if (failure !== null) throw failure.error;
      const { shape, rows } = await cursor.read();
      if (!isChecked && rules["validate.non.null"]) checkRequired(shape, options);
      const place = placeOf(database, shape, selection);
      const read = [...held, ...rows.map((row): HeldRow => ({ row, at: place(row) }))];
      const done = rows.length < batch;
      // By timestamps alone a position says nothing of rows that share one: the last row waits for its successor.
      const kept = selection.mode === "timestamp" && !done ? read.slice(-1) : [];
      const given = kept.length > 0 ? read.slice(0, -1) : read;
      const decoded = decode(shape, given);
      let reached = position;
      const records = decoded.rows.map(({ value, at }, index): SourceRecord => {
        const next = read[index + 1];
        const isShared = selection.mode === "timestamp" && next !== undefined && next.at.timestamp === at.timestamp;
        if (!isShared) reached = at;
        return {
          topic: options.topic,
          value,
          sourcePartition: options.partition,
          sourceOffset: selection.mode === "bulk" ? {} : toOffset(reached),
        };
      });
      if (decoded.failure !== null) {
        if (records.length === 0) throw decoded.failure.error;
        // What came before it is given first.
        position = reached;
        round = { cursor, held: [], isChecked: true, failure: decoded.failure };
        return { records, done: false };
      }
      if (done) await cursor.end();
      // Only now nothing can fail any more: what was not given is read again.
      position = reached;
      round = done ? null : { cursor, held: kept, isChecked: true, failure: null };
      return { records, done };
    },
    reset() {
      round = null;
    },
  };
}

/** One reading of what is new. */
interface Round {
  readonly cursor: RowCursor;
  readonly held: readonly HeldRow[];
  readonly isChecked: boolean;
  /** Why the next row cannot be read. */
  readonly failure: { readonly error: unknown } | null;
}

interface HeldRow {
  readonly row: Row;
  readonly at: Position;
}

interface DecodedRow {
  readonly value: SchemaAndValue;
  readonly at: Position;
}

/** The values of rows, up to the first that cannot be read. */
function decode(
  shape: RowShape,
  held: readonly HeldRow[],
): { readonly rows: readonly DecodedRow[]; readonly failure: Round["failure"] } {
  const rows: DecodedRow[] = [];
  for (const { row, at } of held) {
    try {
      rows.push({ value: shape.toValue(row), at });
    } catch (error) {
      return { rows, failure: { error } };
    }
  }
  return { rows, failure: null };
}

/** Where a row stands. */
function placeOf<C>(database: SourceDatabase<C>, shape: RowShape, selection: Selection): (row: Row) => Position {
  const { mode, incrementingColumn, timestampColumns } = selection;
  if (mode === "bulk") return () => START;
  const id = mode === "timestamp" ? -1 : shape.indexOf(incrementingColumn);
  const times = mode === "incrementing" ? [] : timestampColumns.map((name) => shape.indexOf(name));
  return (row) => {
    const number = row[id] ?? null;
    const time = times.map((index) => row[index] ?? null).find((text) => text !== null) ?? null;
    return {
      incrementing: number === null ? null : toInteger(number),
      timestamp: time === null ? null : selection.zone.toUtc(database.toMicros(time)),
    };
  };
}

function toInteger(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new ConfigError(`incrementing.column.name needs integers, and there is ${text}`);
  return BigInt(text);
}

/** As JDBC sources: what says where reading goes on may not be NULL, or rows would be passed over. */
function checkRequired(shape: RowShape, { selection, name }: ReaderOptions): void {
  if (name === null) return;
  const { mode, incrementingColumn, timestampColumns } = selection;
  if (mode.endsWith("incrementing") && !shape.isRequired(incrementingColumn))
    throw new ConfigError(`column ${incrementingColumn} of ${name} admits NULL; see validate.non.null`);
  if (mode.startsWith("timestamp") && !timestampColumns.some(shape.isRequired))
    throw new ConfigError(`column ${timestampColumns.join(", ")} of ${name} admits NULL; see validate.non.null`);
}
