import type { SchemaAndValue, Value } from "./schema.ts";
import { WholeDouble } from "./whole-double.ts";

/** Schemaless data with plain numbers in place of every {@link WholeDouble}. */
export function toPlain(data: SchemaAndValue): SchemaAndValue {
  if (data.schema !== null) return data;
  const value = plain(data.value);
  return { schema: null, value };
}

function plain(value: Value): Value {
  if (value === null || typeof value !== "object" || Buffer.isBuffer(value) || value instanceof Date) return value;
  if (value instanceof WholeDouble) return value.value;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return new Map([...value].map(([key, item]: [Value, Value]) => [plain(key), plain(item)]));
  const entries = Object.entries(value).map(([name, item]: [string, Value]): [string, Value] => [name, plain(item)]);
  return Object.fromEntries(entries);
}
