import { type Schema, schemasEqual } from "@headrace/sdk";

/** What was made of a schema, the same for equal schemas; how many there were before changes nothing. */
export function createBySchema<T>(make: (schema: Schema) => T): (schema: Schema) => T {
  const byIdentity = new WeakMap<Schema, { readonly made: T }>();
  const all: { readonly schema: Schema; readonly made: T }[] = [];
  return (schema) => {
    const known = byIdentity.get(schema) ?? all.find((each) => schemasEqual(each.schema, schema));
    if (known !== undefined) {
      byIdentity.set(schema, known);
      return known.made;
    }
    const entry = { schema, made: make(schema) };
    all.push(entry);
    byIdentity.set(schema, entry);
    return entry.made;
  };
}
