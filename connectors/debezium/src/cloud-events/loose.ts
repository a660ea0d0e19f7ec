import { type Schema, toDouble, type Value } from "@headrace/sdk";
import { isStruct } from "../event.ts";

/** Data of a schema in the form of schemaless data: small integers are numbers, maps with text keys plain objects. */
export function toLoose(schema: Schema, value: Value): Value {
  if (value === null) return null;
  switch (schema.type) {
    case "INT64": {
      const small = Number(value);
      return Number.isSafeInteger(small) ? small : value;
    }
    case "FLOAT32":
    case "FLOAT64":
      return typeof value === "number" ? toDouble(value) : value;
    case "ARRAY": {
      const { valueSchema } = schema;
      const items: readonly Value[] = Array.isArray(value) ? value : [];
      return valueSchema === undefined ? value : items.map((item) => toLoose(valueSchema, item));
    }
    case "MAP": {
      const { keySchema, valueSchema } = schema;
      if (!(value instanceof Map) || keySchema === undefined || valueSchema === undefined) return value;
      const entries = [...value].map(([key, item]: [Value, Value]): [Value, Value] => [
        toLoose(keySchema, key),
        toLoose(valueSchema, item),
      ]);
      return keySchema.type === "STRING" ? Object.fromEntries(entries) : new Map(entries);
    }
    case "STRUCT": {
      if (!isStruct(value)) return value;
      const fields = (schema.fields ?? []).map((field): [string, Value] => [
        field.name,
        toLoose(field.schema, Object.hasOwn(value, field.name) ? (value[field.name] ?? null) : null),
      ]);
      return Object.fromEntries(fields);
    }
    default:
      return value;
  }
}
