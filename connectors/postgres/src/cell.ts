import { DATE_NAME, DECIMAL_NAME, type Schema, TIME_NAME, TIMESTAMP_NAME, type Value } from "@headrace/sdk";
import { localText, type TimeZone, toCell as toPlainCell, UTC } from "@headrace/sql";

/** As PostgreSQL calls it, format_type. */
const ZONELESS = /^timestamp(\(\d\))? without time zone$/;

/**
 * A value as PostgreSQL reads its text, for a column of this type, whose times are in `zone` if they have none of their own; null for NULL. Throws
 * DataError for what has no such form.
 */
export function toCell(value: Value, schema: Schema | null, columnType: string, zone: TimeZone = UTC): string | null {
  if (Array.isArray(value) && columnType.endsWith("[]")) return arrayText(value, schema, columnType, zone);
  const cell = toPlainCell(value, schema);
  switch (cell.kind) {
    case "null":
      return null;
    case "boolean":
      return cell.value ? "true" : "false";
    case "bytes":
      return `\\x${cell.bytes.toString("hex")}`;
    case "number":
    case "decimal":
    case "text":
    case "date":
    case "time":
      return cell.text;
    case "timestamp":
      return ZONELESS.test(columnType) ? localText(cell.ms, zone) : cell.text;
    default:
      throw new Error(`unreachable: ${cell satisfies never}`);
  }
}

function arrayText(items: readonly Value[], schema: Schema | null, columnType: string, zone: TimeZone): string {
  const cells = items.map((item) => {
    if (Array.isArray(item)) return arrayText(item, schema?.valueSchema ?? null, columnType, zone);
    const text = toCell(item, schema?.valueSchema ?? null, columnType.slice(0, -2), zone);
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
