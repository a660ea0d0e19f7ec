import { DataError, type Field, type Schema } from "@headrace/sdk";

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
