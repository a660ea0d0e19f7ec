import {
  DataError,
  type Field,
  isStructLike,
  javaClassOf,
  config as key,
  type Schema,
  type SchemaAndValue,
  type Value,
} from "@headrace/sdk";

/** A STRUCT's or a schemaless map's fields. */
export type Fields = Readonly<Record<string, Value>>;

/** The key that nearly all transforms of fields have. */
export const REPLACE_NULL = key
  .boolean()
  .default(true)
  .describe("Read a null field that has a default as its default.")
  .meta({ importance: "MEDIUM" });

/**
 * The fields of a struct (with a schema) or map (without one); throws DataError for anything else, null included.
 * Source: org.apache.kafka.connect.transforms.util.Requirements.
 */
export function requireFields(data: SchemaAndValue, purpose: string): Fields {
  const { schema, value } = data;
  if (schema === null) {
    if (value instanceof Map) return fromMap(value, purpose);
    if (isStructLike(value)) return value;
    throw new DataError(
      `Only Map objects supported in absence of schema for [${purpose}], found: ${javaClassOf(value, null)}`,
    );
  }
  if (schema.type === "STRUCT" && isStructLike(value)) return value;
  throw new DataError(`Only Struct objects supported for [${purpose}], found: ${javaClassOf(value, schema)}`);
}

function fromMap(map: ReadonlyMap<Value, Value>, purpose: string): Fields {
  const fields: Record<string, Value> = {};
  for (const [name, value] of map) {
    if (typeof name !== "string") throw new DataError(`Only maps with string keys supported for [${purpose}]`);
    setField(fields, name, value);
  }
  return fields;
}

/** A field's value; null if there is none of that name, whatever JavaScript's objects inherit. */
export function fieldOf(fields: Fields, name: string): Value {
  const value = fields[name];
  if (value === undefined) return null;
  const inherited = typeof value === "function" || name === "__proto__";
  return inherited && !Object.hasOwn(fields, name) ? null : value;
}

/** Sets a field of any name. */
export function setField(fields: Record<string, Value>, name: string, value: Value): void {
  if (name === "__proto__") {
    Object.defineProperty(fields, name, { value, writable: true, enumerable: true, configurable: true });
  } else fields[name] = value;
}

/** A struct's field as a transform reads it: a null that has a default may count as its default. */
export function readField(fields: Fields, field: Field, replaceNull: boolean): Value {
  const value = fieldOf(fields, field.name);
  if (value !== null) return value;
  return replaceNull && field.schema.default !== undefined ? field.schema.default : null;
}

/** Passes a value on that is put into a struct; throws DataError for a null that the field does not admit. Source: Struct.put. */
export function admit(value: Value, name: string, schema: Schema): Value {
  if (value !== null || schema.optional) return value;
  throw new DataError(`Invalid value: null used for required field: "${name}", schema type: ${schema.type}`);
}

/** The fields of a STRUCT schema; throws DataError for other types. */
export function fieldsOf(schema: Schema): readonly Field[] {
  if (schema.type !== "STRUCT") throw new DataError("Cannot list fields on non-struct type");
  return schema.fields ?? [];
}
