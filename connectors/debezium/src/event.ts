import { DataError, type Field, type Schema, type SchemaAndValue, type Value } from "@headrace/sdk";

/** A struct's values by field name. */
export type Struct = Readonly<Record<string, Value>>;

/** A value with a STRUCT schema. */
export interface StructData {
  readonly schema: Schema;
  readonly value: Struct;
}

/** Whether these are the data of a change event. Source: io.debezium.data.Envelope.isEnvelopeSchema. */
export function isEnvelope(data: SchemaAndValue): data is StructData {
  return data.schema?.type === "STRUCT" && data.schema.name?.endsWith(".Envelope") === true && isStruct(data.value);
}

export function isStruct(value: Value): value is Struct {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !Buffer.isBuffer(value) &&
    !(value instanceof Map)
  );
}

export function fieldNamed(schema: Schema | undefined, name: string): Field | undefined {
  return schema?.fields?.find((field) => field.name === name);
}

/** A field's value, without its default; null if there is no such field. */
export function valueOfField(struct: Struct, name: string): Value {
  return Object.hasOwn(struct, name) ? (struct[name] ?? null) : null;
}

/** A field's value, or its default. Throws DataError for an unknown field. Source: org.apache.kafka.connect.data.Struct.get. */
export function getField({ schema, value }: StructData, name: string): Value {
  const field = fieldNamed(schema, name);
  if (field === undefined) throw new DataError(`${name} is not a valid field name`);
  return valueOfField(value, name) ?? field.schema.default ?? null;
}

/** A text field's value. Throws DataError for a field that is unknown or of another type. */
export function getText(data: StructData, name: string): string | null {
  const value = getField(data, name);
  if (fieldNamed(data.schema, name)?.schema.type !== "STRING" || (value !== null && typeof value !== "string")) {
    throw new DataError(`Field '${name}' is not of type STRING`);
  }
  return value;
}

/** Data that has to be a struct. Throws DataError, in Connect's words. */
export function requireStruct(data: SchemaAndValue, purpose: string): StructData {
  const { schema, value } = data;
  if (schema?.type === "STRUCT" && isStruct(value)) return { schema, value };
  throw new DataError(
    `Only Struct objects supported for [${purpose}], found: ${value === null ? "null" : typeof value}`,
  );
}

/** Name, version, doc and parameters of a schema, on a required struct of other fields. Source: SchemaUtil.copySchemaBasics. */
export function structLike(schema: Schema, fields: readonly Field[]): Schema {
  const names = new Set<string>();
  for (const { name } of fields) {
    if (names.has(name)) throw new DataError(`Cannot create field because of field name duplication ${name}`);
    names.add(name);
  }
  const { name, version, doc, parameters } = schema;
  return {
    type: "STRUCT",
    optional: false,
    ...(name !== undefined && { name }),
    ...(version !== undefined && { version }),
    ...(doc !== undefined && { doc }),
    ...(parameters !== undefined && { parameters }),
    fields,
  };
}

/** A struct of these fields' values. */
export function structOf(entries: readonly (readonly [string, Value])[]): Struct {
  return Object.fromEntries(entries);
}
