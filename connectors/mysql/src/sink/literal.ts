import { DataError, parseBigDecimal, type Schema, type Value } from "@headrace/sdk";
import { localText, type TimeZone, toCell, UTC } from "@headrace/sql";
import { textLiteral } from "../sql-text.ts";

/** A value as SQL writes it, exactly; a point in time as the local time of `zone`. Throws DataError for what has no such form. */
export function literalOf(value: Value, schema: Schema | null, zone: TimeZone = UTC): string {
  const cell = toCell(value, schema);
  switch (cell.kind) {
    case "null":
      return "NULL";
    case "boolean":
      return cell.value ? "1" : "0";
    case "number":
      if (!Number.isFinite(Number(cell.text))) throw new DataError(`${cell.text} has no counterpart in MySQL`);
      return cell.text;
    case "decimal":
      return plainDecimal(cell.text);
    case "bytes":
      return `x'${cell.bytes.toString("hex")}'`;
    case "text":
      return textLiteral(cell.text);
    case "date":
    case "time":
      return `'${cell.text}'`;
    case "timestamp":
      return `'${localText(cell.ms, zone)}'`;
    default:
      throw new Error(`unreachable: ${cell satisfies never}`);
  }
}

/** Most digits of a decimal. Source: MySQL, "DECIMAL Data Type Characteristics". */
const MAX_DIGITS = 65;

/** Without an exponent, with which MySQL would take it for a floating-point number. */
function plainDecimal(text: string): string {
  const number = parseBigDecimal(text);
  if (number === null) throw new DataError(`${text} is no decimal`);
  const { unscaled, scale } = number;
  const digits = String(unscaled < 0n ? -unscaled : unscaled);
  // Not only what a column can hold: a longer literal would be cut in silence.
  if (digits.length > MAX_DIGITS || scale > MAX_DIGITS || -scale + digits.length > MAX_DIGITS)
    throw new DataError(`${text.slice(0, 100)} has more than ${MAX_DIGITS} digits`);
  const sign = unscaled < 0n ? "-" : "";
  if (scale <= 0) return `${sign}${digits}${"0".repeat(-scale)}`;
  const padded = digits.padStart(scale + 1, "0");
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
}
