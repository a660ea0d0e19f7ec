import { ConfigError, type OffsetMap, type SourceRecord } from "@headrace/sdk";
import type { Client, QueryArrayConfig } from "pg";
import { AS_TEXT } from "../types/as-text.ts";
import { parseTimestamp } from "../types/moment.ts";
import type { TypeCatalog } from "../types/pg-type.ts";
import type { ColumnRules } from "./column.ts";
import { type Position, START, toOffset } from "./position.ts";
import { type Row, type RowShape, readRowShape } from "./row-shape.ts";
import { type Selection, statementOf } from "./statement.ts";

/** What one reader reads. */
export interface ReaderOptions {
  readonly selection: Selection;
  /** Of the table; null: of a query. */
  readonly name: string | null;
  readonly topic: string;
  readonly partition: OffsetMap;
  readonly start: Position;
  readonly rules: ColumnRules & {
    readonly "batch.max.rows": number;
    readonly "timestamp.delay.interval.ms": number;
    readonly "validate.non.null": boolean;
  };
}

/** Reads a table over and over, each time what is new, from a cursor that stays open between batches. */
export interface TableReader {
  /** The next batch; `done` once all has been given that was there when this round began. Whatever fails costs the connection. */
  read(
    client: Client,
    types: TypeCatalog,
  ): Promise<{ readonly records: readonly SourceRecord[]; readonly done: boolean }>;
  /** To be called when the connection is gone: the next round begins behind the last record given. */
  reset(): void;
}

const CURSOR = "headrace_rows";

/** Creates a reader; a connection has at most one that is not done. */
export function createTableReader(options: ReaderOptions): TableReader {
  const { selection, rules } = options;
  const batch = rules["batch.max.rows"];
  let position = options.start;
  let round: { shape: RowShape | null; held: readonly HeldRow[] } | null = null;

  async function begin(client: Client): Promise<void> {
    await client.query("BEGIN");
    const { text, values } = statementOf(selection, position, await endOf(client));
    await client.query(`DECLARE ${CURSOR} NO SCROLL CURSOR FOR ${text}`, [...values]);
    round = { shape: null, held: [] };
  }

  async function endOf(client: Client): Promise<bigint> {
    if (!selection.mode.startsWith("timestamp")) return 0n;
    const { rows } = await client.query<{ now: string }>(
      "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8 AS now",
    );
    return BigInt(rows[0]?.now ?? 0) - BigInt(rules["timestamp.delay.interval.ms"]) * 1_000n;
  }

  return {
    async read(client, types) {
      if (round === null) await begin(client);
      const query: QueryArrayConfig = { text: `FETCH ${batch} FROM ${CURSOR}`, rowMode: "array", types: AS_TEXT };
      const { rows, fields } = await client.query<(string | null)[]>(query);
      const shape = round?.shape ?? (await readRowShape(client, { fields, name: options.name, types, rules }));
      if (round?.shape === null && rules["validate.non.null"]) checkRequired(shape, options);
      const place = placeOf(shape, selection);
      const read = [...(round?.held ?? []), ...rows.map((row): HeldRow => ({ row, at: place(row) }))];
      const done = rows.length < batch;
      // By timestamps alone a position says nothing of rows that share one: the last row waits for its successor.
      const kept = selection.mode === "timestamp" && !done ? read.slice(-1) : [];
      const given = kept.length > 0 ? read.slice(0, -1) : read;
      let reached = position;
      const records = given.map(({ row, at }, index): SourceRecord => {
        const next = read[index + 1];
        const isShared = selection.mode === "timestamp" && next !== undefined && next.at.timestamp === at.timestamp;
        if (!isShared) reached = at;
        return {
          topic: options.topic,
          value: shape.toValue(row),
          sourcePartition: options.partition,
          sourceOffset: selection.mode === "bulk" ? {} : toOffset(reached),
        };
      });
      if (done) await client.query("COMMIT");
      // Only now nothing can fail any more: what was not given is read again.
      position = reached;
      round = done ? null : { shape, held: kept };
      return { records, done };
    },
    reset() {
      round = null;
    },
  };
}

interface HeldRow {
  readonly row: Row;
  readonly at: Position;
}

/** Where a row stands. */
function placeOf(shape: RowShape, selection: Selection): (row: Row) => Position {
  const { mode, incrementingColumn, timestampColumns } = selection;
  if (mode === "bulk") return () => START;
  const id = mode === "timestamp" ? -1 : shape.indexOf(incrementingColumn);
  const times = mode === "incrementing" ? [] : timestampColumns.map((name) => shape.indexOf(name));
  return (row) => {
    const number = row[id] ?? null;
    const time = times.map((index) => row[index] ?? null).find((text) => text !== null) ?? null;
    return {
      incrementing: number === null ? null : toInteger(number),
      timestamp: time === null ? null : toMicros(time),
    };
  };
}

function toInteger(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new ConfigError(`incrementing.column.name needs integers, and there is ${text}`);
  return BigInt(text);
}

function toMicros(text: string): bigint {
  const micros = parseTimestamp(text);
  if (typeof micros !== "bigint") throw new ConfigError(`timestamp.column.name needs points in time, not ${micros}`);
  return micros;
}

/** As JDBC sources: what says where reading goes on may not be NULL, or rows would be passed over. */
function checkRequired(shape: RowShape, { selection, name }: ReaderOptions): void {
  if (name === null) return;
  const isRequired = (column: string) => shape.schema.fields?.[shape.indexOf(column)]?.schema.optional === false;
  const { mode, incrementingColumn, timestampColumns } = selection;
  if (mode.endsWith("incrementing") && !isRequired(incrementingColumn))
    throw new ConfigError(`column ${incrementingColumn} of ${name} admits NULL; see validate.non.null`);
  if (mode.startsWith("timestamp") && !timestampColumns.some(isRequired))
    throw new ConfigError(`column ${timestampColumns.join(", ")} of ${name} admits NULL; see validate.non.null`);
}
