import type { TimeZone } from "../time-zone.ts";
import type { Position } from "./position.ts";

export type Mode = "bulk" | "incrementing" | "timestamp" | "timestamp+incrementing";

/** What is read, and how. */
export interface Selection {
  readonly mode: Mode;
  /** What stands behind FROM, as SQL. */
  readonly from: string;
  /** Empty where the mode has none. */
  readonly incrementingColumn: string;
  /** The first that is not NULL counts. */
  readonly timestampColumns: readonly string[];
  /** In which they have their times, if they have no zone of their own; UTC otherwise. */
  readonly zone: TimeZone;
  /** SQL at the very end; may be empty. */
  readonly suffix: string;
}

export interface Statement {
  readonly text: string;
  readonly values: readonly string[];
}

/** A value that a statement compares with. */
export type Operand =
  | { readonly kind: "integer"; readonly value: bigint }
  /** Microseconds since the epoch, of a local time as if it were UTC. */
  | { readonly kind: "timestamp"; readonly micros: bigint };

/** How a statement is written. */
export interface StatementStyle {
  quote(name: string): string;
  /** SQL of a value: a literal, or a parameter whose text is added to `values`. */
  operand(operand: Operand, values: string[]): string;
}

/**
 * The statement that reads what lies behind a position; with timestamps, only what is older than `end` (microseconds). Conditions and order
 * are on the columns as they are, so that an index serves them.
 */
export function statementOf(
  style: StatementStyle,
  selection: Selection,
  { position, end }: { readonly position: Position; readonly end: bigint },
): Statement {
  const { mode, from, suffix } = selection;
  const values: string[] = [];
  const integer = (value: bigint) => style.operand({ kind: "integer", value }, values);
  const time = (utc: bigint) => style.operand({ kind: "timestamp", micros: selection.zone.toLocal(utc) }, values);
  const id = style.quote(selection.incrementingColumn);
  const timestamps = selection.timestampColumns.map(style.quote).join(", ");
  const timestamp = selection.timestampColumns.length > 1 ? `COALESCE(${timestamps})` : timestamps;
  const conditions: string[] = [];
  const since = position.timestamp;
  const behind = position.incrementing;
  if (mode === "incrementing") conditions.push(behind === null ? `${id} IS NOT NULL` : `${id} > ${integer(behind)}`);
  if (mode === "timestamp" || mode === "timestamp+incrementing") {
    conditions.push(`${timestamp} < ${time(end)}`);
    if (since !== null) {
      const at = time(since);
      conditions.push(
        mode === "timestamp" || behind === null
          ? `${timestamp} > ${at}`
          : `(${timestamp} > ${at} OR ${timestamp} = ${at} AND ${id} > ${integer(behind)})`,
      );
    }
    if (mode === "timestamp+incrementing") conditions.push(`${id} IS NOT NULL`);
  }
  const order = { bulk: "", incrementing: id, timestamp, "timestamp+incrementing": `${timestamp}, ${id}` }[mode];
  const text = [
    `SELECT * FROM ${from}`,
    conditions.length > 0 ? ` WHERE ${conditions.join(" AND ")}` : "",
    order === "" ? "" : ` ORDER BY ${order}`,
    suffix === "" ? "" : ` ${suffix}`,
  ];
  return { text: text.join(""), values };
}
