import {
  BYTES_SCHEMA,
  DATE_SCHEMA,
  DataError,
  decimalSchema,
  FLOAT64_SCHEMA,
  fromDecimalText,
  INT8_SCHEMA,
  INT16_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  TIME_SCHEMA,
  TIMESTAMP_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { arrayOf, type Column, plainColumn, STRINGS } from "../types/column.ts";
import { floorDivide, parseDate, parseTime, parseTimestamp } from "../types/moment.ts";
import { numericShape, type PgType } from "../types/pg-type.ts";

export interface ColumnRules {
  readonly "numeric.mapping": "none" | "precision_only" | "best_fit" | "best_fit_eager_double";
  readonly "timestamp.granularity": "connect_logical" | "micros_long" | "nanos_long";
}

/** The counterpart of a column type; the inverse of what the sink makes of these schemas. `modifier` is that of the column (atttypmod). */
export function columnOf(type: PgType, modifier: number, rules: ColumnRules): Column {
  if (type.kind === "array" && type.element !== null) return arrayOf(columnOf(type.element, modifier, rules));
  switch (type.name) {
    case "numeric":
      return numericOf(modifier < 0 ? type.modifier : modifier, rules["numeric.mapping"]);
    case "bytea":
      return { schema: BYTES_SCHEMA, decode: (text) => Buffer.from(text.slice(2), "hex") };
    case "date":
      return { schema: DATE_SCHEMA, decode: (text) => finite(parseDate(text)) };
    case "time":
      return { schema: TIME_SCHEMA, decode: (text) => Number(parseTime(text) / 1000n) };
    case "timestamp":
    case "timestamptz":
      return timestampOf(rules["timestamp.granularity"]);
    default:
      return plainColumn(type.name) ?? STRINGS;
  }
}

function timestampOf(granularity: ColumnRules["timestamp.granularity"]): Column {
  const micros = (text: string) => finite(parseTimestamp(text));
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

function finite<T>(moment: T | "infinity" | "-infinity"): T {
  if (moment === "infinity" || moment === "-infinity") throw new DataError(`${moment} has no counterpart in Connect`);
  return moment;
}

/** Most digits that a 64-bit integer always holds. */
const LONG_DIGITS = 18;

/** Source of the mappings' names: Confluent's JDBC source connector, numeric.mapping. */
function numericOf(modifier: number, mapping: ColumnRules["numeric.mapping"]): Column {
  const shape = numericShape(modifier);
  const float: Column = { schema: FLOAT64_SCHEMA, decode: Number };
  // Each value has its own scale: text is what loses nothing.
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
