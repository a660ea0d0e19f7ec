import { DataError, DECIMAL_NAME, javaFloat, type Schema, type Value } from "@headrace/sdk";
import { toDecimalText } from "./decimal.ts";

export interface JsonWriterOptions {
  /** Decimals as JSON numbers instead of base64 text. */
  readonly numericDecimals: boolean;
  /** A null field that has a default is written as its default. */
  readonly replaceNull: boolean;
}

/** Writes the values of one schema. Throws DataError for values that do not fit. */
export type JsonWriter = (value: Value) => string;

/** Schemaless data: bytes as base64, 64-bit integers as numbers, maps with string keys as objects and others as lists of pairs. */
export function writeSchemaless(value: Value): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return Number.isFinite(value) ? String(value) : `"${value}"`;
    case "boolean":
    case "bigint":
      return String(value);
    default:
      return writeComposite(value);
  }
}

function writeComposite(value: Exclude<Value, null | string | number | boolean | bigint>): string {
  if (Buffer.isBuffer(value)) return `"${value.toString("base64")}"`;
  if (Array.isArray(value)) return `[${value.map(writeSchemaless).join(",")}]`;
  if (value instanceof Map) return writeMap(value, writeSchemaless, writeSchemaless, allStrings(value));
  let text = "";
  for (const [field, item] of Object.entries(value) as [string, Value | undefined][]) {
    if (item === undefined) continue;
    text += `${text === "" ? "" : ","}${JSON.stringify(field)}:${writeSchemaless(item)}`;
  }
  return `{${text}}`;
}

function allStrings(map: ReadonlyMap<Value, Value>): boolean {
  for (const key of map.keys()) if (typeof key !== "string") return false;
  return true;
}

function writeMap(
  map: ReadonlyMap<Value, Value>,
  writeKey: JsonWriter,
  writeItem: JsonWriter,
  asObject: boolean,
): string {
  const entries = [...map].map(([key, item]) =>
    asObject ? `${JSON.stringify(String(key))}:${writeItem(item)}` : `[${writeKey(key)},${writeItem(item)}]`,
  );
  return asObject ? `{${entries.join(",")}}` : `[${entries.join(",")}]`;
}

/** Compiles the writer of a schema; call it once per schema. */
export function compileJsonWriter(schema: Schema, options: JsonWriterOptions): JsonWriter {
  const write = compileNonNull(schema, options);
  const fallback = schema.default;
  return (value) => {
    if (value !== null && value !== undefined) return write(value);
    if (fallback !== undefined && fallback !== null && options.replaceNull) return write(fallback);
    if (schema.optional) return "null";
    throw new DataError("Conversion error: null value for field that is required and has no default value");
  };
}

function compileNonNull(schema: Schema, options: JsonWriterOptions): (value: NonNullable<Value>) => string {
  if (schema.name === DECIMAL_NAME && options.numericDecimals) {
    const scale = Number(schema.parameters?.["scale"] ?? 0);
    return (value) => (Buffer.isBuffer(value) ? toDecimalText(value, scale) : mismatch(schema, value));
  }
  switch (schema.type) {
    case "BOOLEAN":
      return (value) => (typeof value === "boolean" ? String(value) : mismatch(schema, value));
    case "INT8":
    case "INT16":
    case "INT32":
      return (value) => (typeof value === "number" ? String(value) : mismatch(schema, value));
    case "INT64":
      return (value) => (typeof value === "bigint" ? String(value) : mismatch(schema, value));
    case "FLOAT32":
    case "FLOAT64": {
      const single = schema.type === "FLOAT32";
      return (value) => {
        if (typeof value !== "number") return mismatch(schema, value);
        return Number.isFinite(value) ? javaFloat(value, single) : `"${value}"`;
      };
    }
    case "STRING":
      return (value) => (typeof value === "string" ? JSON.stringify(value) : mismatch(schema, value));
    case "BYTES":
      return (value) => (Buffer.isBuffer(value) ? `"${value.toString("base64")}"` : mismatch(schema, value));
    case "ARRAY": {
      const write = schema.valueSchema === undefined ? writeSchemaless : compileJsonWriter(schema.valueSchema, options);
      return (value) => (Array.isArray(value) ? `[${value.map(write).join(",")}]` : mismatch(schema, value));
    }
    case "MAP": {
      const { keySchema, valueSchema } = schema;
      const writeKey = keySchema === undefined ? writeSchemaless : compileJsonWriter(keySchema, options);
      const writeItem = valueSchema === undefined ? writeSchemaless : compileJsonWriter(valueSchema, options);
      const asObject = keySchema?.type === "STRING" && !keySchema.optional;
      return (value) =>
        value instanceof Map ? writeMap(value, writeKey, writeItem, asObject) : mismatch(schema, value);
    }
    case "STRUCT":
      return compileStruct(schema, options);
    default:
      throw new Error(`unreachable: ${schema.type satisfies never}`);
  }
}

function compileStruct(schema: Schema, options: JsonWriterOptions): (value: NonNullable<Value>) => string {
  const fields = (schema.fields ?? []).map((field, index) => ({
    name: field.name,
    prefix: `${index === 0 ? "" : ","}${JSON.stringify(field.name)}:`,
    write: compileJsonWriter(field.schema, options),
  }));
  return (value) => {
    if (!isPlainObject(value)) return mismatch(schema, value);
    let text = "{";
    for (const field of fields) text += field.prefix + field.write(value[field.name] ?? null);
    return `${text}}`;
  };
}

function isPlainObject(value: NonNullable<Value>): value is { readonly [field: string]: Value } {
  return typeof value === "object" && !Buffer.isBuffer(value) && !Array.isArray(value) && !(value instanceof Map);
}

function mismatch(schema: Schema, value: NonNullable<Value>): never {
  const found = Array.isArray(value) ? "array" : Buffer.isBuffer(value) ? "bytes" : typeof value;
  throw new DataError(`Invalid value: ${found} used for schema type ${schema.type}`);
}
