import { dateOf, writeDate } from "./dates.ts";
import { decimalText, scaleOf } from "./decimal.ts";
import { DECIMAL_NAME, type Schema, type SchemaAndValue, type Value } from "./schema.ts";
import { toText } from "./text.ts";
import { WholeDouble } from "./whole-double.ts";

/**
 * A value as `Values.convertToString` writes it: text and bytes (as base64) raw at the top and quoted inside, `[a,b]`, `{"k":v}`, dates and
 * times in ISO form (UTC).
 */
export function writeValueText({ schema, value }: SchemaAndValue): string {
  if (typeof value === "string") return value;
  if (Buffer.isBuffer(value) && schema?.name !== DECIMAL_NAME) return value.toString("base64");
  return write(value, schema);
}

function write(value: Value, schema: Schema | null | undefined): string {
  if (value === null) return "null";
  if (typeof value === "string") return quote(value);
  const date = dateOf(value, schema ?? null);
  if (date !== null) return writeDate(date);
  if (typeof value !== "object" || value instanceof WholeDouble) return toText({ schema: schema ?? null, value });
  if (Buffer.isBuffer(value)) {
    return schema?.name === DECIMAL_NAME ? decimalText(value, scaleOf(schema)) : quote(value.toString("base64"));
  }
  if (Array.isArray(value)) return `[${value.map((item: Value) => write(item, schema?.valueSchema)).join(",")}]`;
  if (schema?.type === "STRUCT") return writeStruct(value, schema);
  const entries: Iterable<[Value, Value]> = value instanceof Map ? value : Object.entries(value);
  const texts = [...entries].map(
    ([key, item]) => `${write(key, schema?.keySchema)}:${write(item, schema?.valueSchema)}`,
  );
  return `{${texts.join(",")}}`;
}

function writeStruct(value: object, schema: Schema): string {
  const struct = new Map<string, Value>(Object.entries(value));
  const texts = (schema.fields ?? []).map((field) => {
    const item = struct.get(field.name) ?? field.schema.default ?? null;
    return `${quote(field.name)}:${write(item, field.schema)}`;
  });
  return `{${texts.join(",")}}`;
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}
