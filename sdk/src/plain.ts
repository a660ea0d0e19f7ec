import type { SchemaAndValue, Value } from "./schema.ts";
import { WholeDouble } from "./whole-double.ts";

/** Schemaless data with plain numbers in place of every {@link WholeDouble}; the same object if there is none. */
export function toPlain(data: SchemaAndValue): SchemaAndValue {
  if (data.schema !== null) return data;
  const value = plain(data.value);
  return value === data.value ? data : { schema: null, value };
}

function plain(value: Value): Value {
  if (value === null || typeof value !== "object" || Buffer.isBuffer(value) || value instanceof Date) return value;
  if (value instanceof WholeDouble) return value.value;
  if (Array.isArray(value)) {
    const items = value.map(plain);
    return items.some((item, index) => item !== value[index]) ? items : value;
  }
  if (value instanceof Map) return new Map([...value].map(([key, item]: [Value, Value]) => [plain(key), plain(item)]));
  const entries = Object.entries(value).map(([name, item]: [string, Value]): [string, Value] => [name, plain(item)]);
  return Object.fromEntries(entries);
}
