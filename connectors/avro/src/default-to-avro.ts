import { DataError, type Schema, type Value } from "@headrace/sdk";
import type { JsonValue } from "./avro-schema.ts";

/** A default in the form that Avro's JSON has: bytes as text of ISO-8859-1. */
export function defaultJson(schema: Schema, value: Value): JsonValue {
  if (value === null) return null;
  switch (schema.type) {
    case "INT8":
    case "INT16":
    case "INT32":
    case "FLOAT32":
    case "FLOAT64":
    case "INT64":
      if (typeof value === "number" || typeof value === "bigint") return value;
      break;
    case "BOOLEAN":
      if (typeof value === "boolean") return value;
      break;
    case "STRING":
      if (typeof value === "string") return value;
      break;
    case "BYTES":
      if (Buffer.isBuffer(value)) return value.toString("latin1");
      break;
    case "ARRAY":
      if (Array.isArray(value) && schema.valueSchema !== undefined) {
        const { valueSchema } = schema;
        return value.map((item: Value) => defaultJson(valueSchema, item));
      }
      break;
    case "MAP":
      if (value instanceof Map) return defaultOfMap(schema, value);
      break;
    case "STRUCT": {
      const fields = new Map<string, Value>(Object.entries(value));
      return Object.fromEntries(
        (schema.fields ?? []).map((field) => [
          field.name,
          defaultJson(field.schema, fields.get(field.name) ?? field.schema.default ?? null),
        ]),
      );
    }
    default:
      throw new Error(`unreachable: ${schema.type satisfies never}`);
  }
  throw new DataError(`the default of a ${schema.type} is a ${typeof value}`);
}

function defaultOfMap(schema: Schema, value: ReadonlyMap<Value, Value>): JsonValue {
  const { keySchema, valueSchema } = schema;
  if (keySchema === undefined || valueSchema === undefined) throw new DataError("a map schema without keys or values");
  const entries = [...value];
  if (keySchema.type === "STRING" && !keySchema.optional) {
    return Object.fromEntries(entries.map(([name, item]) => [String(name), defaultJson(valueSchema, item)]));
  }
  return entries.map(([name, item]) => [defaultJson(keySchema, name), defaultJson(valueSchema, item)]);
}
