import { decimalText, type Schema, type SchemaAndValue, scaleOf, type Value } from "@headrace/sdk";

const DECIMAL = "org.apache.kafka.connect.data.Decimal";

/**
 * A value as JSON text: 64-bit integers and decimals as numbers with all their digits, bytes as base64, dates and times as their numbers.
 */
export function toJson({ schema, value }: SchemaAndValue): string {
  return write(value, schema ?? undefined);
}

function write(value: Value, schema: Schema | undefined): string {
  if (value === null) return "null";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : JSON.stringify(String(value));
  if (typeof value !== "object" || value instanceof Date) return JSON.stringify(value);
  if (Buffer.isBuffer(value)) {
    return schema?.name === DECIMAL ? decimalText(value, scaleOf(schema)) : JSON.stringify(value.toString("base64"));
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

/** What lies at a path of field names in a value; undefined if there is nothing. */
export function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (found === null || typeof found !== "object") return undefined;
    found = found instanceof Map ? found.get(name) : new Map(Object.entries(found)).get(name);
  }
  return found;
}

/** `a.b` as field names; the empty text is the value itself. */
export const pathOf = (text: string): readonly string[] => (text === "" ? [] : text.split("."));
