import { DataError, type Field, type Schema } from "@headrace/sdk";

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

/** Name, version, doc and parameters of a schema, which transforms keep; not whether it is optional, nor its default. */
export function basicsOf(schema: Schema): Partial<Schema> {
  const { name, version, doc, parameters } = schema;
  return {
    ...(name !== undefined && { name }),
    ...(version !== undefined && { version }),
    ...(doc !== undefined && { doc }),
    ...(parameters !== undefined && Object.keys(parameters).length > 0 && { parameters }),
  };
}

/** Adds a field's name; throws DataError for one that is empty or there already. Source: SchemaBuilder.field. */
export function addName(names: Set<string>, name: string): void {
  if (name === "") throw new DataError("fieldName cannot be null.");
  if (names.has(name)) throw new DataError(`Cannot create field because of field name duplication ${name}`);
  names.add(name);
}

/** A required STRUCT. Throws DataError for names that are empty or there twice. */
export function structOf(fields: readonly Field[], basics: Partial<Schema> = {}): Schema {
  const names = new Set<string>();
  for (const { name } of fields) addName(names, name);
  return { type: "STRUCT", optional: false, ...basics, fields };
}
