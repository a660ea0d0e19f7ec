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

const DAY_MS = 86_400_000;

/** A value as PostgreSQL reads its text, for a column of this type; null for NULL. Throws DataError for what has no such form. */
export function toCell(value: Value, schema: Schema | null, columnType: string): string | null {
  if (value === null) return null;
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "true" : "false";
  if (value instanceof Date) return value.toISOString();
  switch (schema?.name) {
    case DECIMAL_NAME:
      if (Buffer.isBuffer(value)) return decimalText(value, scaleOf(schema));
      break;
    case DATE_NAME:
      return dateText(Number(value) * DAY_MS).slice(0, -"T00:00:00.000Z".length);
    case TIME_NAME:
      return new Date(Number(value)).toISOString().slice(11, -1);
    case TIMESTAMP_NAME:
      return dateText(Number(value));
    default:
      break;
  }
  if (typeof value === "bigint" || typeof value === "number") return String(value);
  if (Buffer.isBuffer(value)) return `\\x${value.toString("hex")}`;
  if (Array.isArray(value) && columnType.endsWith("[]")) return arrayText(value, schema, columnType);
  return toJsonText({ schema, value });
}

function dateText(ms: number): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) throw new DataError(`${ms} is no point in time`);
  return date.toISOString().replace(/^\+0*(\d{5,})/, "$1");
}

function arrayText(items: readonly Value[], schema: Schema | null, columnType: string): string {
  const cells = items.map((item) => {
    if (Array.isArray(item)) return arrayText(item, schema?.valueSchema ?? null, columnType);
    const text = toCell(item, schema?.valueSchema ?? null, columnType.slice(0, -2));
    return text === null ? "NULL" : `"${text.replace(/["\\]/g, "\\$&")}"`;
  });
  return `{${cells.join(",")}}`;
}

/** The type of a new column. */
export function columnTypeOf(schema: Schema): string {
  switch (schema.name) {
    case DECIMAL_NAME:
      return "numeric";
    case DATE_NAME:
      return "date";
    case TIME_NAME:
      return "time";
    case TIMESTAMP_NAME:
      return "timestamp with time zone";
    default:
      break;
  }
  switch (schema.type) {
    case "INT8":
    case "INT16":
      return "smallint";
    case "INT32":
      return "integer";
    case "INT64":
      return "bigint";
    case "FLOAT32":
      return "real";
    case "FLOAT64":
      return "double precision";
    case "BOOLEAN":
      return "boolean";
    case "STRING":
      return "text";
    case "BYTES":
      return "bytea";
    case "ARRAY": {
      const item = schema.valueSchema === undefined ? "jsonb" : columnTypeOf(schema.valueSchema);
      return item === "jsonb" || item.endsWith("[]") ? "jsonb" : `${item}[]`;
    }
    case "MAP":
    case "STRUCT":
      return "jsonb";
    default:
      throw new Error(`unreachable: ${schema.type satisfies never}`);
  }
}
