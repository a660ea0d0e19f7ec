import { DataError, type Schema, STRING_SCHEMA, type Value } from "@headrace/sdk";
import { type AvroSchema, isObject, type JsonValue } from "./avro-schema.ts";
import { entryFields, soleMember } from "./forms.ts";

/** A default from Avro's JSON form. */
export function defaultOf(schema: Schema, avro: AvroSchema, json: JsonValue): Value {
  if (json === null) return null;
  if (avro.kind === "union") {
    const sole = soleMember(avro.members);
    if (sole !== null) return defaultOf(schema, sole.member, json);
    const [first] = avro.members;
    const [field] = schema.fields ?? [];
    if (first === undefined || first.kind === "null" || field === undefined) return null;
    return { [field.name]: defaultOf(field.schema, first, json) };
  }
  switch (schema.type) {
    case "INT8":
    case "INT16":
    case "INT32":
      if (typeof json === "number") return json;
      break;
    case "FLOAT32":
    case "FLOAT64":
      if (typeof json === "number" || typeof json === "bigint" || typeof json === "string") return Number(json);
      break;
    case "INT64":
      if (typeof json === "bigint" || Number.isInteger(json)) return BigInt(String(json));
      break;
    case "BOOLEAN":
      if (typeof json === "boolean") return json;
      break;
    case "STRING":
      if (typeof json === "string") return json;
      break;
    case "BYTES":
      if (typeof json === "string") return Buffer.from(json, "latin1");
      break;
    case "ARRAY":
      if (avro.kind === "array" && Array.isArray(json)) {
        const items: readonly JsonValue[] = json;
        return items.map((item) => defaultOf(schema.valueSchema ?? STRING_SCHEMA, avro.items, item));
      }
      break;
    case "MAP":
      return mapDefaultOf(schema, avro, json);
    case "STRUCT":
      if (avro.kind === "record" && isObject(json)) {
        const values = avro.fields.map((field, index): [string, Value] => {
          const inner = schema.fields?.[index]?.schema;
          const own = Object.hasOwn(json, field.name) ? json[field.name] : undefined;
          const given = own ?? field.default ?? null;
          return [field.name, inner === undefined ? null : defaultOf(inner, field.type, given)];
        });
        return Object.fromEntries(values);
      }
      break;
    default:
      throw new Error(`unreachable: ${schema.type satisfies never}`);
  }
  throw new DataError(`an Avro schema has a default that does not fit its type ${avro.kind}`);
}

function mapDefaultOf(schema: Schema, avro: AvroSchema, json: JsonValue): Value {
  const values = schema.valueSchema ?? STRING_SCHEMA;
  if (avro.kind === "map" && isObject(json)) {
    return new Map(Object.entries(json).map(([name, item]) => [name, defaultOf(values, avro.values, item)]));
  }
  if (avro.kind !== "array" || !Array.isArray(json)) throw new DataError("an Avro map has a default that is no map");
  const { key, value } = entryFields(avro.items);
  const entries: readonly JsonValue[] = json;
  return new Map(
    entries.map((entry) => {
      const [name = null, item = null] = Array.isArray(entry) ? entry : [];
      return [defaultOf(schema.keySchema ?? STRING_SCHEMA, key, name), defaultOf(values, value, item)];
    }),
  );
}
