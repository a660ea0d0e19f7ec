import type { Schema } from "./schema.ts";

/** Remembers what was derived of a schema, for as long as that is in use; schemas are told apart by identity. */
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
