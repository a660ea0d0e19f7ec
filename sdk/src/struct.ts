import { DataError } from "./errors.ts";
import type { Schema, SchemaAndValue, Value } from "./schema.ts";
import { WholeDouble } from "./whole-double.ts";

/**
 * A STRUCT value of these fields, in the schema's order: defaults are filled in, optional fields that are not given are null. Throws
 * DataError for a field that is unknown, missing or of another type. Source: org.apache.kafka.connect.data.Struct.
 */
export function createStruct(schema: Schema, fields: Readonly<Record<string, Value | undefined>>): SchemaAndValue {
  if (schema.type !== "STRUCT") throw new DataError(`Not a struct schema: ${schema.type}`);
  const known = schema.fields ?? [];
  for (const name of Object.keys(fields)) {
    if (!known.some((field) => field.name === name)) throw new DataError(`${name} is not a valid field name`);
  }
  const given = new Map(Object.entries(fields));
  const value = known.map(({ name, schema: field }): [string, Value] => {
    const item = given.get(name) ?? field.default ?? null;
    checkValue(field, item, name);
    return [name, item];
  });
  return { schema, value: Object.fromEntries(value) };
}

/**
 * Throws DataError, with the path to what is wrong, unless the value has the form that its schema asks for (see the table of
 * {@link Schema}). Source: org.apache.kafka.connect.data.ConnectSchema.validateValue.
 */
export function checkValue(schema: Schema, value: Value, path = "value"): void {
  if (value === null) {
    if (schema.optional) return;
    throw new DataError(`Invalid value: null used for required field "${path}", schema type: ${schema.type}`);
  }
  if (!hasType(schema, value)) {
    throw new DataError(
      `Invalid value of field "${path}": ${describeType(value)} does not fit schema type ${schema.type}`,
    );
  }
  if (schema.type === "ARRAY" && Array.isArray(value)) {
    const items: readonly Value[] = value;
    for (const [index, item] of items.entries()) checkInner(schema.valueSchema, item, `${path}[${index}]`);
  }
  if (schema.type === "MAP" && value instanceof Map) {
    for (const [key, item] of value) {
      checkInner(schema.keySchema, key, `${path}.key`);
      checkInner(schema.valueSchema, item, `${path}.value`);
    }
  }
  if (schema.type === "STRUCT" && typeof value === "object") {
    const entries = new Map<string, Value>(Object.entries(value));
    for (const { name, schema: field } of schema.fields ?? []) {
      checkValue(field, entries.get(name) ?? field.default ?? null, `${path}.${name}`);
    }
  }
}

function checkInner(schema: Schema | undefined, value: Value, path: string): void {
  if (schema !== undefined) checkValue(schema, value, path);
}

/** Inclusive bounds of the integer types that are numbers. */
const BITS = { INT8: 8, INT16: 16, INT32: 32 } as const;

function hasType(schema: Schema, value: Value): boolean {
  switch (schema.type) {
    case "INT8":
    case "INT16":
    case "INT32":
      return (
        Number.isInteger(value) && typeof value === "number" && Math.abs(value + 0.5) < 2 ** (BITS[schema.type] - 1)
      );
    case "INT64":
      return typeof value === "bigint" && BigInt.asIntN(64, value) === value;
    case "FLOAT32":
    case "FLOAT64":
      return typeof value === "number";
    case "BOOLEAN":
      return typeof value === "boolean";
    case "STRING":
      return typeof value === "string";
    case "BYTES":
      return Buffer.isBuffer(value);
    case "ARRAY":
      return Array.isArray(value);
    case "MAP":
      return value instanceof Map;
    case "STRUCT":
      return isPlainObject(value);
    default:
      throw new Error(`unreachable: ${schema.type satisfies never}`);
  }
}

function isPlainObject(value: Value): boolean {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describeType(value: Value): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return value.constructor.name;
}

/** Whether a value is a struct or a schemaless object, and none of the other kinds of objects that a {@link Value} can be. */
export function isStructLike(value: Value): value is { readonly [field: string]: Value } {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !Buffer.isBuffer(value) &&
    !(value instanceof Map) &&
    !(value instanceof Date) &&
    !(value instanceof WholeDouble)
  );
}
