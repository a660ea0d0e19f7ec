import { DataError, DECIMAL_NAME, fromDecimalText, JsonDecimal, type Schema, scaleOf, type Value } from "@headrace/sdk";
import { isObject, type Json } from "./exact-json.ts";

/** Data of a schema from JSON. Throws DataError for JSON that does not fit. Source: JsonSchemaData.toConnectData. */
export function readData(schema: Schema | null, json: Json): Value {
  if (schema === null) return readLoose(json);
  return read(schema, json, "value");
}

function read(schema: Schema, json: Json, path: string): Value {
  if (json === null) {
    if (schema.optional) return null;
    if (schema.default !== undefined) return schema.default;
    throw new DataError(`${path} is null or not there, but required`);
  }
  const value = convert(schema, json, path);
  if (value === undefined) throw new DataError(`${path} does not fit ${schema.type}`);
  return value;
}

const BITS = { INT8: 8, INT16: 16, INT32: 32 } as const;

function convert(schema: Schema, json: Json, path: string): Value | undefined {
  switch (schema.type) {
    case "BOOLEAN":
      return typeof json === "boolean" ? json : undefined;
    case "STRING":
      return typeof json === "string" ? json : undefined;
    case "INT8":
    case "INT16":
    case "INT32": {
      const limit = 2 ** (BITS[schema.type] - 1);
      return typeof json === "number" && Number.isInteger(json) && json >= -limit && json < limit ? json : undefined;
    }
    case "INT64": {
      const value = typeof json === "bigint" ? json : Number.isInteger(json) ? BigInt(Number(json)) : null;
      return value !== null && BigInt.asIntN(64, value) === value ? value : undefined;
    }
    case "FLOAT32":
    case "FLOAT64":
      if (isNumber(json)) return Number(json);
      return json === "NaN" || json === "Infinity" || json === "-Infinity" ? Number(json) : undefined;
    case "BYTES":
      if (typeof json === "string") return bytesOf(json);
      return schema.name === DECIMAL_NAME && isNumber(json)
        ? fromDecimalText(String(json), scaleOf(schema))
        : undefined;
    case "ARRAY": {
      const { valueSchema } = schema;
      if (!Array.isArray(json) || valueSchema === undefined) return undefined;
      const items: readonly Json[] = json;
      return items.map((item, index) => read(valueSchema, item, `${path}[${index}]`));
    }
    case "MAP":
      return readMap(schema, json, path);
    case "STRUCT":
      if (!isObject(json)) return undefined;
      return Object.fromEntries(
        (schema.fields ?? []).map((field) => {
          const item = Object.hasOwn(json, field.name) ? (json[field.name] ?? null) : null;
          return [field.name, read(field.schema, item, `${path}.${field.name}`)];
        }),
      );
    default:
      throw new Error(`unreachable: ${schema.type satisfies never}`);
  }
}

/** Bytes of base64; undefined for other text, which Node would decode as far as it can. */
function bytesOf(text: string): Buffer | undefined {
  const fits = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  return fits ? Buffer.from(text, "base64") : undefined;
}

function isNumber(json: Json): json is number | bigint | JsonDecimal {
  return typeof json === "number" || typeof json === "bigint" || json instanceof JsonDecimal;
}

function readMap({ keySchema, valueSchema }: Schema, json: Json, path: string): Value | undefined {
  if (keySchema === undefined || valueSchema === undefined) return undefined;
  if (isObject(json)) {
    return new Map(Object.entries(json).map(([name, item]) => [name, read(valueSchema, item, `${path}.${name}`)]));
  }
  if (!Array.isArray(json)) return undefined;
  const entries: readonly Json[] = json;
  return new Map(
    entries.map((entry): [Value, Value] => {
      if (!isObject(entry)) throw new DataError(`${path} has an entry that is no object`);
      return [
        read(keySchema, entry["key"] ?? null, `${path}.key`),
        read(valueSchema, entry["value"] ?? null, `${path}.value`),
      ];
    }),
  );
}

function readLoose(json: Json): Value {
  if (json === null || typeof json !== "object") return json;
  if (json instanceof JsonDecimal) return Number(json.text);
  if (isObject(json)) return Object.fromEntries(Object.entries(json).map(([name, item]) => [name, readLoose(item)]));
  return json.map(readLoose);
}
