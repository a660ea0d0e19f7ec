import {
  DATE_NAME,
  DECIMAL_NAME,
  javaFloat,
  type Schema,
  type SchemaAndValue,
  TIME_NAME,
  TIMESTAMP_NAME,
  type Value,
} from "@headrace/sdk";
import { toDecimalText } from "./decimal.ts";

/**
 * A value as `Values.convertToString` writes it: text raw at the top and quoted inside, `[a,b]`, `{"k":v}`, bytes as base64, dates and
 * times in ISO form (UTC).
 */
export function writeValueText(data: SchemaAndValue): string {
  return typeof data.value === "string" ? data.value : write(data.value, data.schema);
}

function write(value: Value, schema: Schema | null | undefined): string {
  if (value === null) return "null";
  const logical = writeLogical(value, schema);
  if (logical !== null) return logical;
  if (typeof value === "string") return `"${value.replace(/["\\]/g, "\\$&")}"`;
  if (typeof value === "number") {
    if (schema?.type === "FLOAT32") return javaFloat(value, true);
    return schema?.type === "FLOAT64" || !Number.isInteger(value) ? javaFloat(value, false) : String(value);
  }
  if (typeof value !== "object") return String(value);
  if (Buffer.isBuffer(value)) return value.toString("base64");
  if (Array.isArray(value)) return `[${value.map((item: Value) => write(item, schema?.valueSchema)).join(",")}]`;
  const entries: [Value, Value][] = value instanceof Map ? [...value] : Object.entries(value);
  const itemSchema = (name: Value) =>
    schema?.type === "STRUCT" ? schema.fields?.find((field) => field.name === name)?.schema : schema?.valueSchema;
  return `{${entries.map(([name, item]) => `${write(name, schema?.keySchema)}:${write(item, itemSchema(name))}`).join(",")}}`;
}

function writeLogical(value: Value, schema: Schema | null | undefined): string | null {
  switch (schema?.name) {
    case DECIMAL_NAME:
      return Buffer.isBuffer(value) ? toDecimalText(value, Number(schema.parameters?.["scale"] ?? 0)) : null;
    case DATE_NAME:
      return typeof value === "number" ? iso(value * 86_400_000).slice(0, 10) : null;
    case TIME_NAME:
      return typeof value === "number" ? iso(value).slice(11) : null;
    case TIMESTAMP_NAME:
      return typeof value === "bigint" ? iso(Number(value)) : null;
    default:
      return null;
  }
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
