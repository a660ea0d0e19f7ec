import { decimalText, parseBigDecimal, scaleOf, truncate } from "./decimal.ts";
import {
  DATE_NAME,
  DECIMAL_NAME,
  type Schema,
  type SchemaType,
  TIME_NAME,
  TIMESTAMP_NAME,
  TIMESTAMP_SCHEMA,
  type Value,
} from "./schema.ts";
import { shortestSingle } from "./text.ts";
import { toDouble } from "./whole-double.ts";

/** A value with its own schema; dates and times are a `Date` until it is known in which schema they end. */
export interface Parsed {
  readonly schema: Schema;
  readonly value: Exclude<Value, null>;
}

const DAY_MS = 86_400_000;

export const TEMPORAL_SCHEMAS = {
  date: { type: "INT32", optional: false, name: DATE_NAME, version: 1 },
  time: { type: "INT32", optional: false, name: TIME_NAME, version: 1 },
  timestamp: TIMESTAMP_SCHEMA,
} as const satisfies Record<string, Schema>;

/** Number types, narrowest first. */
const WIDTHS: readonly SchemaType[] = ["INT8", "INT16", "INT32", "INT64", "FLOAT32", "FLOAT64"];

/**
 * The one schema of all items that are not null: the widest of numbers, otherwise the last one's; null if there is none, or if types
 * differ. Source: org.apache.kafka.connect.data.Values.mergeSchemas.
 */
export function mergeSchemas(items: readonly (Parsed | null)[]): Schema | null {
  let common: Schema | null = null;
  for (const item of items) {
    if (item === null) continue;
    const { schema } = item;
    if (common === null || common.type === schema.type) {
      common = schema;
      continue;
    }
    const known: number = WIDTHS.indexOf(common.type);
    const other = WIDTHS.indexOf(schema.type);
    if (known < 0 || other < 0) return null;
    if (other > known) common = schema;
  }
  return common;
}

/** The value in the form of a schema that several share; undefined if it does not fit. Source: Values.convertTo. */
export function alignTo({ schema: own, value }: Parsed, schema: Schema): Value | undefined {
  if (value instanceof Date) {
    const fits = schema.name === DATE_NAME || schema.name === TIME_NAME || schema.name === TIMESTAMP_NAME;
    return fits ? toValue(value, schema) : undefined;
  }
  if (typeof value !== "number" && typeof value !== "bigint") return value;
  switch (schema.type) {
    case "INT64":
      return BigInt(value);
    case "FLOAT32":
      return Math.fround(Number(value));
    case "FLOAT64":
      return Number(value);
    default:
      return own.type === schema.type || typeof value === "number" ? value : undefined;
  }
}

/** A parsed value in the form that values have everywhere; `schema: null` is for elements of mixed types. */
export function toValue(value: Value, schema: Schema | null): Value {
  if (!(value instanceof Date)) return value;
  switch (schema?.name) {
    case DATE_NAME:
      return Math.floor(value.getTime() / DAY_MS);
    case TIME_NAME:
      return value.getTime();
    case TIMESTAMP_NAME:
      return BigInt(value.getTime());
    default:
      return value;
  }
}

/** An element of a collection without a common schema, as schemaless data. */
export function toMixed({ schema, value }: Parsed): Value {
  if (schema.type === "FLOAT32" && typeof value === "number") return toDouble(shortestSingle(value));
  if (schema.type === "FLOAT64" && typeof value === "number") return toDouble(value);
  if (schema.name === DECIMAL_NAME && Buffer.isBuffer(value)) {
    const decimal = parseBigDecimal(decimalText(value, scaleOf(schema)));
    return decimal === null ? value : truncate(decimal);
  }
  if (typeof value === "bigint" && Number.isSafeInteger(Number(value))) return Number(value);
  return toValue(value, null);
}
