import { type ConnectRecord, DataError, type Schema, type SchemaAndValue, type Value } from "@headrace/sdk";

/** Which half of a record a transform works on: Java's `X$Key` and `X$Value`. */
export interface Side {
  readonly name: "key" | "value";
  get(record: ConnectRecord): SchemaAndValue;
  with(record: ConnectRecord, data: SchemaAndValue): ConnectRecord;
}

export const KEY: Side = {
  name: "key",
  get: (record) => record.key,
  with: (record, key) => ({ ...record, key }),
};

export const VALUE: Side = {
  name: "value",
  get: (record) => record.value,
  with: (record, value) => ({ ...record, value }),
};

/** The Java class names of both variants of a transform. */
export function javaName(transform: string, side: Side): string {
  return `org.apache.kafka.connect.transforms.${transform}$${side === KEY ? "Key" : "Value"}`;
}

/** A STRUCT's or a schemaless map's fields. */
export type Fields = Readonly<Record<string, Value>>;

/** The fields of a struct or map; throws DataError for anything else. Source: org.apache.kafka.connect.transforms.util.Requirements. */
export function requireFields(data: SchemaAndValue, purpose: string): Fields {
  const { schema, value } = data;
  if (schema !== null && schema.type !== "STRUCT") {
    throw new DataError(`Only Struct objects supported for [${purpose}], found: ${nameOf(value)}`);
  }
  if (value instanceof Map) return fromMap(value, purpose);
  if (!isObject(value)) {
    throw new DataError(
      schema === null
        ? `Only Map objects supported in absence of schema for [${purpose}], found: ${nameOf(value)}`
        : `Only Struct objects supported for [${purpose}], found: ${nameOf(value)}`,
    );
  }
  return value;
}

function isObject(value: Value): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

function fromMap(map: ReadonlyMap<Value, Value>, purpose: string): Fields {
  const fields: Record<string, Value> = {};
  for (const [key, value] of map) {
    if (typeof key !== "string") throw new DataError(`Only maps with string keys supported for [${purpose}]`);
    fields[key] = value;
  }
  return fields;
}

function nameOf(value: Value): string {
  if (value === null) return "null";
  if (Buffer.isBuffer(value)) return "bytes";
  return Array.isArray(value) ? "array" : typeof value;
}

/** Remembers what was derived of a schema, for as long as that is in use. */
export function memoizeSchema<T>(derive: (schema: Schema) => T): (schema: Schema) => T {
  const known = new WeakMap<Schema, { readonly derived: T }>();
  return (schema) => {
    const found = known.get(schema);
    if (found !== undefined) return found.derived;
    const derived = derive(schema);
    known.set(schema, { derived });
    return derived;
  };
}

/** A null field that has a default counts as its default, if that is wanted. */
export function fieldValue(value: Value | undefined, schema: Schema, replaceNull: boolean): Value {
  if (value !== null && value !== undefined) return value;
  return replaceNull && schema.default !== undefined ? schema.default : null;
}
