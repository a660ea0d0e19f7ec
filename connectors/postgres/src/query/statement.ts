import { quote } from "../connection.ts";
import { timestampText } from "../types/moment.ts";
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
  /** SQL at the very end; may be empty. */
  readonly suffix: string;
}

export interface Statement {
  readonly text: string;
  readonly values: readonly string[];
}

/**
 * The statement that reads what lies behind a position; with timestamps, only what is older than `end` (microseconds). Conditions and order
 * are on the columns as they are, so that an index serves them.
 */
export function statementOf(selection: Selection, position: Position, end: bigint): Statement {
  const { mode, from, suffix } = selection;
  const values: string[] = [];
  const parameter = (value: string) => `$${values.push(value)}`;
  const id = quote(selection.incrementingColumn);
  const timestamps = selection.timestampColumns.map(quote).join(", ");
  const timestamp = selection.timestampColumns.length > 1 ? `COALESCE(${timestamps})` : timestamps;
  const conditions: string[] = [];
  const since = position.timestamp;
  const behind = position.incrementing;
  if (mode === "incrementing")
    conditions.push(behind === null ? `${id} IS NOT NULL` : `${id} > ${parameter(String(behind))}`);
  if (mode === "timestamp" || mode === "timestamp+incrementing") {
    conditions.push(`${timestamp} < ${parameter(timestampText(end))}`);
    if (since !== null) {
      const at = parameter(timestampText(since));
      conditions.push(
        mode === "timestamp" || behind === null
          ? `${timestamp} > ${at}`
          : `(${timestamp} > ${at} OR ${timestamp} = ${at} AND ${id} > ${parameter(String(behind))})`,
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
