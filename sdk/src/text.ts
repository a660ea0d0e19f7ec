import { toCivilDate } from "./calendar.ts";
import { decimalText, scaleOf } from "./decimal.ts";
import {
  DATE_NAME,
  DECIMAL_NAME,
  type Schema,
  type SchemaAndValue,
  TIME_NAME,
  TIMESTAMP_NAME,
  type Value,
} from "./schema.ts";
import { WholeDouble } from "./whole-double.ts";

/**
 * A value as Java's `toString` shows it: `{a=1, b=x}` for maps, `[1, 2]` for lists, `Struct{a=1,b=x}` for structs (null fields left
 * out), floating-point numbers with their point. Bytes, of which Java shows the address, are taken for UTF-8 text.
 */
export function toText(data: SchemaAndValue): string {
  return textOf(data.value, data.schema);
}

function textOf(value: Value, schema: Schema | null | undefined): string {
  if (value === null) return "null";
  if (schema?.name !== undefined) {
    const logical = logicalText(value, schema);
    if (logical !== null) return logical;
  }
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberText(value, schema);
  if (typeof value !== "object") return String(value);
  if (Buffer.isBuffer(value)) return value.toString("utf8");
  if (value instanceof WholeDouble) return javaFloat(value.value, false);
  if (value instanceof Date) return dateText(value);
  if (Array.isArray(value)) return `[${value.map((item: Value) => textOf(item, schema?.valueSchema)).join(", ")}]`;
  if (schema?.type === "STRUCT") return structText(value, schema);
  const entries: Iterable<[Value, Value]> = value instanceof Map ? value : Object.entries(value);
  const texts = [...entries].map(
    ([key, item]) => `${textOf(key, schema?.keySchema)}=${textOf(item, schema?.valueSchema)}`,
  );
  return `{${texts.join(", ")}}`;
}

function structText(value: object, schema: Schema): string {
  const struct = new Map<string, Value>(Object.entries(value));
  const texts: string[] = [];
  for (const field of schema.fields ?? []) {
    const item = struct.get(field.name) ?? null;
    if (item !== null) texts.push(`${field.name}=${textOf(item, field.schema)}`);
  }
  return `Struct{${texts.join(",")}}`;
}

function logicalText(value: NonNullable<Value>, schema: Schema): string | null {
  switch (schema.name) {
    case DECIMAL_NAME:
      return Buffer.isBuffer(value) ? decimalText(value, scaleOf(schema)) : null;
    case DATE_NAME:
      return typeof value === "number" ? dateText(new Date(value * 86_400_000)) : null;
    case TIME_NAME:
      return typeof value === "number" ? dateText(new Date(value)) : null;
    case TIMESTAMP_NAME:
      return typeof value === "bigint" ? dateText(new Date(Number(value))) : null;
    default:
      return null;
  }
}

const WEEKDAYS = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Source: java.util.Date.toString, in UTC. */
function dateText(date: Date): string {
  const epochDay = Math.floor(date.getTime() / 86_400_000);
  const { year, month, day } = toCivilDate(epochDay);
  const weekday = WEEKDAYS[((epochDay % 7) + 7) % 7];
  const time = date.toISOString().slice(-13, -5);
  return `${weekday} ${MONTHS[month - 1]} ${String(day).padStart(2, "0")} ${time} UTC ${year}`;
}

function numberText(value: number, schema: Schema | null | undefined): string {
  if (schema?.type === "FLOAT32") return javaFloat(value, true);
  if (schema?.type === "FLOAT64" || !Number.isInteger(value)) return javaFloat(value, false);
  return String(value);
}

/**
 * A floating-point number as Java's `Double.toString` (or `Float.toString`, `single`) writes it: `1.0`, `1.0E10`, `1.0E-5`.
 * NaN and infinities by their names.
 */
export function javaFloat(value: number, single: boolean): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const magnitude = Math.abs(value);
  const digits = single ? shortestSingle(value) : value;
  if (magnitude >= 1e-3 && magnitude < 1e7) return withPoint(String(digits));
  const [mantissa = "", exponent = "0"] = toDigits(digits).split("e");
  return `${withPoint(mantissa)}E${Number(exponent)}`;
}

/** Java shows the two digits that come closest where one would do: 4.9E-324, not 5E-324. */
function toDigits(value: number): string {
  const closest = value.toExponential(1);
  return Number(closest) === value ? closest : value.toExponential();
}

function withPoint(text: string): string {
  return text.includes(".") ? text : `${text}.0`;
}

/** The double whose shortest form has just the digits that tell this float from its neighbours. */
export function shortestSingle(value: number): number {
  const single = Math.fround(value);
  // A decimal of up to six digits that is this float is also what it rounds to; below the normal floats there are fewer.
  const first = Math.abs(single) < 1.2e-38 ? 2 : 6;
  for (let precision = first; precision <= 9; precision += 1) {
    const candidate = Number(single.toPrecision(precision));
    if (Math.fround(candidate) === single) return candidate;
  }
  return single;
}
