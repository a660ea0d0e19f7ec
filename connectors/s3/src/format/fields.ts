import { DataError, isStructLike, type Schema, type SchemaAndValue, type Value } from "@headrace/sdk";

/** A field with what it has. */
export interface FieldValue {
  readonly name: string;
  readonly schema: Schema | null;
  readonly value: Value;
}

/** A plain object's member, never an inherited one; null if it is not there. */
export function memberOf(value: Value, name: string): Value {
  if (value instanceof Map) return value.get(name) ?? null;
  if (!isStructLike(value) || !Object.hasOwn(value, name)) return null;
  return value[name] ?? null;
}

/** The fields of a struct or of a schemaless object; null for other values. */
export function fieldsOf({ schema, value }: SchemaAndValue): readonly FieldValue[] | null {
  if (schema?.type === "STRUCT" && value !== null) {
    return (schema.fields ?? []).map((field) => ({
      name: field.name,
      schema: field.schema,
      value: memberOf(value, field.name),
    }));
  }
  if (schema !== null || !isStructLike(value)) return null;
  return Object.entries(value).map(([name, item]) => ({ name, schema: null, value: item }));
}

/** A field by its path of names with dots; a name that has dots itself is found as well. Throws DataError if it is not there. */
export function fieldAt(data: SchemaAndValue, path: string): SchemaAndValue {
  const whole = childOf(data, path);
  if (whole !== null) return whole;
  let current: SchemaAndValue | null = data;
  for (const name of path.split(".")) current = current === null ? null : childOf(current, name);
  if (current === null) throw new DataError(`the record has no field ${path}`);
  return current;
}

function childOf({ schema, value }: SchemaAndValue, name: string): SchemaAndValue | null {
  if (value === null) return null;
  if (schema?.type === "STRUCT") {
    const field = schema.fields?.find((each) => each.name === name);
    return field === undefined ? null : { schema: field.schema, value: memberOf(value, name) };
  }
  if (value instanceof Map)
    return value.has(name) ? { schema: schema?.valueSchema ?? null, value: memberOf(value, name) } : null;
  return isStructLike(value) && Object.hasOwn(value, name) ? { schema: null, value: memberOf(value, name) } : null;
}
