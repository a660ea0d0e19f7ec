import { BYTES_SCHEMA, DATE_SCHEMA, DataError, TIME_SCHEMA } from "@headrace/sdk";
import {
  type Column,
  type ColumnRules,
  numericColumn,
  parseTime,
  STRINGS,
  timestampColumn,
  timeZoneOf,
} from "@headrace/sql";
import { arrayOf, plainColumn } from "../types/column.ts";
import { parseDate, parseTimestamp } from "../types/moment.ts";
import { numericShape, type PgType } from "../types/pg-type.ts";

/** The counterpart of a column type; the inverse of what the sink makes of these schemas. `modifier` is that of the column (atttypmod). */
export function columnOf(type: PgType, modifier: number, rules: ColumnRules): Column {
  if (type.kind === "array" && type.element !== null) return arrayOf(columnOf(type.element, modifier, rules));
  switch (type.name) {
    case "numeric":
      return numericColumn(numericShape(modifier < 0 ? type.modifier : modifier), rules["numeric.mapping"]);
    case "bytea":
      return { schema: BYTES_SCHEMA, decode: (text) => Buffer.from(text.slice(2), "hex") };
    case "date":
      return { schema: DATE_SCHEMA, decode: (text) => finite(parseDate(text)) };
    case "time":
      return { schema: TIME_SCHEMA, decode: (text) => Number(parseTime(text) / 1000n) };
    case "timestamp": {
      const zone = timeZoneOf(rules["db.timezone"]);
      return timestampColumn(rules["timestamp.granularity"], (text) => zone.toUtc(finite(parseTimestamp(text))));
    }
    case "timestamptz":
      return timestampColumn(rules["timestamp.granularity"], (text) => finite(parseTimestamp(text)));
    default:
      return plainColumn(type.name) ?? STRINGS;
  }
}

function finite<T>(moment: T | "infinity" | "-infinity"): T {
  if (moment === "infinity" || moment === "-infinity") throw new DataError(`${moment} has no counterpart in Connect`);
  return moment;
}
