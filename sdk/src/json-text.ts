import { decimalText, scaleOf } from "./decimal.ts";
import { DECIMAL_NAME, type Schema, type SchemaAndValue, type Value } from "./schema.ts";
import { WholeDouble } from "./whole-double.ts";

/**
 * A value as plain JSON: 64-bit integers and decimals as numbers with all their digits, bytes as base64, dates and times as their numbers.
 */
export function toJsonText({ schema, value }: SchemaAndValue): string {
  return write(value, schema ?? undefined);
}

function write(value: Value, schema: Schema | undefined): string {
  if (value === null) return "null";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : JSON.stringify(String(value));
  if (typeof value !== "object" || value instanceof Date) return JSON.stringify(value);
  if (value instanceof WholeDouble) return String(value.value);
  if (Buffer.isBuffer(value)) {
    return schema?.name === DECIMAL_NAME
      ? decimalText(value, scaleOf(schema))
      : JSON.stringify(value.toString("base64"));
  }
  if (Array.isArray(value)) return `[${value.map((item: Value) => write(item, schema?.valueSchema)).join(",")}]`;
  if (value instanceof Map) {
    const entries: readonly (readonly [Value, Value])[] = [...value];
    return `{${entries.map(([key, item]) => `${JSON.stringify(keyText(key))}:${write(item, schema?.valueSchema)}`).join(",")}}`;
  }
  const fields = new Map(schema?.fields?.map((field) => [field.name, field.schema]));
  const entries: readonly (readonly [string, Value])[] = Object.entries(value);
  return `{${entries.map(([name, item]) => `${JSON.stringify(name)}:${write(item, fields.get(name))}`).join(",")}}`;
}

const keyText = (key: Value): string => (typeof key === "string" ? key : write(key, undefined));
