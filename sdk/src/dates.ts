import { DATE_NAME, type Schema, TIME_NAME, TIMESTAMP_NAME, type Value } from "./schema.ts";

const DAY_MS = 86_400_000;

/** The point in time of a value that is one: of a Date, Time or Timestamp schema, or a schemaless `Date`. Null for all others. */
export function dateOf(value: Value, schema: Schema | null): Date | null {
  if (value instanceof Date) return value;
  switch (schema?.name) {
    case DATE_NAME:
      return typeof value === "number" ? new Date(value * DAY_MS) : null;
    case TIME_NAME:
      return typeof value === "number" ? new Date(value) : null;
    case TIMESTAMP_NAME:
      return typeof value === "bigint" ? new Date(Number(value)) : null;
    default:
      return null;
  }
}

/**
 * Text of a point in time, in UTC: only the time if it lies before 1970-01-02, only the date at midnight, otherwise both.
 * Source: org.apache.kafka.connect.data.Values.dateFormatFor.
 */
export function writeDate(date: Date): string {
  const iso = date.toISOString();
  if (date.getTime() < DAY_MS) return iso.slice(iso.indexOf("T") + 1);
  return date.getTime() % DAY_MS === 0 ? iso.slice(0, iso.indexOf("T")) : iso;
}
