import { decimalText, scaleOf } from "../decimal.ts";
import { DataError } from "../errors.ts";
import { javaClassOf } from "../java-class.ts";
import {
  DATE_NAME,
  DECIMAL_NAME,
  type Schema,
  type SchemaType,
  TIME_NAME,
  TIMESTAMP_NAME,
  type Value,
} from "../schema.ts";
import { javaFloat, toText } from "../text.ts";
import { WholeDouble } from "../whole-double.ts";

export interface JsonWriterOptions {
  /** Decimals as JSON numbers instead of base64 text. */
  readonly numericDecimals: boolean;
  /** A null field that has a default is written as its default. */
  readonly replaceNull: boolean;
}

/** Writes the values of one schema. Throws DataError for values that do not fit. */
export type JsonWriter = (value: Value) => string;

/** A JSON string with Jackson's escapes, whose hexadecimal digits are upper case. */
export function writeString(text: string): string {
  const json = JSON.stringify(text);
  if (!json.includes("\\u00")) return json;
  return json.replace(/\\(?:u00([01][0-9a-f])|.)/g, (found, code?: string) =>
    code === undefined ? found : `\\u00${code.toUpperCase()}`,
  );
}

/** Schemaless data: bytes as base64, 64-bit integers as numbers, maps with string keys as objects and others as lists of pairs. */
export function writeSchemalessJson(value: Value): string {
  if (value === null) return "null";
  switch (typeof value) {
    case "string":
      return writeString(value);
    case "number":
      if (Number.isInteger(value)) return String(value);
      return Number.isFinite(value) ? javaFloat(value, false) : `"${value}"`;
    case "boolean":
    case "bigint":
      return String(value);
    default:
      return writeComposite(value);
  }
}

function writeComposite(value: Exclude<Value, null | string | number | boolean | bigint>): string {
  if (Buffer.isBuffer(value)) return `"${value.toString("base64")}"`;
  if (Array.isArray(value)) return `[${value.map(writeSchemalessJson).join(",")}]`;
  if (value instanceof WholeDouble) return toText({ schema: null, value });
  if (value instanceof Map) return writeMap(value, writeSchemalessJson, writeSchemalessJson, allStrings(value));
  if (value instanceof Date) {
    throw new DataError(`Java class class ${javaClassOf(value, null)} does not have corresponding schema type.`);
  }
  let text = "";
  for (const [field, item] of Object.entries(value) as [string, Value | undefined][]) {
    if (item === undefined) continue;
    text += `${text === "" ? "" : ","}${writeString(field)}:${writeSchemalessJson(item)}`;
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
    asObject ? `${writeString(String(key))}:${writeItem(item)}` : `[${writeKey(key)},${writeItem(item)}]`,
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

/** Logical types by name: their base type, and what messages call them. */
const LOGICAL: ReadonlyMap<string, { readonly base: SchemaType; readonly label: string; readonly wanted: string }> =
  new Map([
    [DECIMAL_NAME, { base: "BYTES", label: "Decimal", wanted: "BigDecimal" }],
    [DATE_NAME, { base: "INT32", label: "Date", wanted: "Date" }],
    [TIME_NAME, { base: "INT32", label: "Time", wanted: "Date" }],
    [TIMESTAMP_NAME, { base: "INT64", label: "Timestamp", wanted: "Date" }],
  ]);

function compileNonNull(schema: Schema, options: JsonWriterOptions): (value: NonNullable<Value>) => string {
  const logical = schema.name === undefined ? undefined : LOGICAL.get(schema.name);
  if (logical !== undefined && logical.base !== schema.type) {
    const { name: _, ...bare } = schema;
    return (value) => {
      const found = javaClassOf(value, bare);
      throw new DataError(`Invalid type for ${logical.label}, expected ${logical.wanted} but was class ${found}`);
    };
  }
  if (schema.name === DECIMAL_NAME) {
    return (value) => {
      if (!Buffer.isBuffer(value)) return mismatch(schema, value);
      const scale = scaleOf(schema);
      return options.numericDecimals ? decimalText(value, scale) : `"${value.toString("base64")}"`;
    };
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
      return (value) => (typeof value === "string" ? writeString(value) : mismatch(schema, value));
    case "BYTES":
      return (value) => (Buffer.isBuffer(value) ? `"${value.toString("base64")}"` : mismatch(schema, value));
    case "ARRAY": {
      const write =
        schema.valueSchema === undefined ? writeSchemalessJson : compileJsonWriter(schema.valueSchema, options);
      return (value) => (Array.isArray(value) ? `[${value.map(write).join(",")}]` : mismatch(schema, value));
    }
    case "MAP": {
      const { keySchema, valueSchema } = schema;
      const writeKey = keySchema === undefined ? writeSchemalessJson : compileJsonWriter(keySchema, options);
      const writeItem = valueSchema === undefined ? writeSchemalessJson : compileJsonWriter(valueSchema, options);
      const asObject = keySchema?.type === "STRING";
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
    inherited: field.name in Object.prototype,
    prefix: `${index === 0 ? "" : ","}${writeString(field.name)}:`,
    write: compileJsonWriter(field.schema, options),
  }));
  return (value) => {
    if (!isStruct(value)) return mismatch(schema, value);
    let text = "{";
    for (const field of fields) {
      const absent = field.inherited && !Object.hasOwn(value, field.name);
      text += field.prefix + field.write(absent ? null : (value[field.name] ?? null));
    }
    return `${text}}`;
  };
}

function isStruct(value: NonNullable<Value>): value is { readonly [field: string]: Value } {
  return (
    typeof value === "object" &&
    !Buffer.isBuffer(value) &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    !(value instanceof Date) &&
    !(value instanceof WholeDouble)
  );
}

function mismatch(schema: Schema, value: NonNullable<Value>): never {
  throw new DataError(`Invalid type for ${schema.type}: class ${javaClassOf(value, null)}`);
}
