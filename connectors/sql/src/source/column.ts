import {
  DataError,
  decimalSchema,
  FLOAT64_SCHEMA,
  fromDecimalText,
  INT8_SCHEMA,
  INT16_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  type Schema,
  STRING_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { floorDivide } from "../moment.ts";

/** How the values of a column become Connect's. */
export interface Column {
  /** Required; what admits NULL is up to the caller. */
  readonly schema: Schema;
  /** Of the text form of a value. null: it has no counterpart. Throws DataError for what the schema cannot hold. */
  decode(text: string): Value;
}

/** What a user chooses of the types of columns. */
export interface ColumnRules {
  readonly "numeric.mapping": "none" | "precision_only" | "best_fit" | "best_fit_eager_double";
  readonly "timestamp.granularity": "connect_logical" | "micros_long" | "nanos_long";
  /** Name of the zone of times that have none. */
  readonly "db.timezone": string;
}

/** Text as it is. */
export const STRINGS: Column = { schema: STRING_SCHEMA, decode: (text) => text };

/** A point in time; `micros` reads its text as microseconds since the epoch. */
export function timestampColumn(
  granularity: ColumnRules["timestamp.granularity"],
  micros: (text: string) => bigint,
): Column {
  switch (granularity) {
    case "connect_logical":
      return { schema: TIMESTAMP_SCHEMA, decode: (text) => floorDivide(micros(text), 1000n) };
    case "micros_long":
      return { schema: INT64_SCHEMA, decode: micros };
    case "nanos_long":
      return { schema: INT64_SCHEMA, decode: (text) => micros(text) * 1000n };
    default:
      throw new Error(`unreachable: ${granularity satisfies never}`);
  }
}

/** Most digits that a 64-bit integer always holds. */
const LONG_DIGITS = 18;

/** An exact number; null: each value has its own scale. Source of the mappings' names: Confluent's JDBC source connector, numeric.mapping. */
export function numericColumn(
  shape: { readonly precision: number; readonly scale: number } | null,
  mapping: ColumnRules["numeric.mapping"],
): Column {
  const float: Column = { schema: FLOAT64_SCHEMA, decode: Number };
  // Without a scale text is what loses nothing.
  if (shape === null) return mapping === "none" || mapping === "precision_only" ? STRINGS : float;
  const { precision, scale } = shape;
  if (mapping !== "none" && scale === 0 && precision <= LONG_DIGITS) return integerOf(precision);
  if (mapping === "best_fit_eager_double" && scale > 0) return float;
  if (mapping === "best_fit" && scale > 0 && precision <= LONG_DIGITS) return float;
  const places = Math.max(scale, 0);
  return { schema: decimalSchema(places), decode: (text) => fromDecimalText(text, places) };
}

function integerOf(precision: number): Column {
  if (precision > 9) return { schema: INT64_SCHEMA, decode: whole(BigInt) };
  if (precision > 4) return { schema: INT32_SCHEMA, decode: whole(Number) };
  return { schema: precision > 2 ? INT16_SCHEMA : INT8_SCHEMA, decode: whole(Number) };
}

const whole =
  (convert: (text: string) => Value) =>
  (text: string): Value => {
    if (!/^-?\d+$/.test(text)) throw new DataError(`${text} has no counterpart in Connect`);
    return convert(text);
  };
