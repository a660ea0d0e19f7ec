import {
  DATE_NAME,
  DataError,
  DECIMAL_NAME,
  decimalText,
  type Schema,
  scaleOf,
  TIME_NAME,
  TIMESTAMP_NAME,
  toJsonText,
  type Value,
} from "@headrace/sdk";
import type { TimeZone } from "../time-zone.ts";

const DAY_MS = 86_400_000;

/** What a value is to a database, whatever its SQL; what is no scalar is JSON. */
export type Cell =
  | { readonly kind: "null" }
  | { readonly kind: "boolean"; readonly value: boolean }
  /** An integer of any size, or a floating-point number; also NaN and Infinity. */
  | { readonly kind: "number"; readonly text: string }
  /** An exact decimal, as Java writes it: plain or with an exponent. */
  | { readonly kind: "decimal"; readonly text: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  /** ISO 8601. */
  | { readonly kind: "date" | "time"; readonly text: string }
  /** A point in time: ISO 8601 in UTC, with milliseconds and Z; milliseconds since the epoch. */
  | { readonly kind: "timestamp"; readonly text: string; readonly ms: number };

/** The cell of a value. Throws DataError for what has no such form. */
export function toCell(value: Value, schema: Schema | null): Cell {
  if (value === null) return { kind: "null" };
  if (typeof value === "string") return { kind: "text", text: value };
  if (typeof value === "boolean") return { kind: "boolean", value };
  if (value instanceof Date) return timestampCell(value.getTime());
  switch (schema?.name) {
    case DECIMAL_NAME:
      if (Buffer.isBuffer(value)) return { kind: "decimal", text: decimalText(value, scaleOf(schema)) };
      break;
    case DATE_NAME:
      return { kind: "date", text: dateText(Number(value) * DAY_MS).slice(0, -"T00:00:00.000Z".length) };
    case TIME_NAME:
      return { kind: "time", text: timeText(Number(value)) };
    case TIMESTAMP_NAME:
      return timestampCell(Number(value));
    default:
      break;
  }
  if (typeof value === "bigint" || typeof value === "number") return { kind: "number", text: String(value) };
  if (Buffer.isBuffer(value)) return { kind: "bytes", bytes: value };
  return { kind: "text", text: toJsonText({ schema, value }) };
}

function timeText(ms: number): string {
  if (!(ms >= 0 && ms < DAY_MS)) throw new DataError(`${ms} ms is no time of a day`);
  return dateText(ms).slice("1970-01-01T".length, -"Z".length);
}

const timestampCell = (ms: number): Cell => ({ kind: "timestamp", text: dateText(ms), ms });

/** A point in time as the local time of a zone, ISO 8601 without a zone, with a blank and milliseconds. */
export function localText(ms: number, zone: TimeZone): string {
  return dateText(Number(zone.toLocal(BigInt(Math.trunc(ms)) * 1000n) / 1000n))
    .replace("T", " ")
    .replace("Z", "");
}

function dateText(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) throw new DataError(`${ms} is no point in time`);
  return date.toISOString().replace(/^\+0*(\d{5,})/, "$1");
}
