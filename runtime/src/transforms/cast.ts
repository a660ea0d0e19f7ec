import { defineTransform, config as key, memoizeSchema, type Schema, type SchemaType, type Value } from "@headrace/sdk";
import { z } from "zod";
import { type CastType, castValue, isCastType } from "./cast-value.ts";
import { basicsOf, structOf } from "./derived-schema.ts";
import { admit, fieldOf, fieldsOf, REPLACE_NULL, readField, requireFields, setField } from "./fields.ts";
import { javaName, KEY, type Side, VALUE } from "./side.ts";

const PURPOSE = "cast types";

const TYPES: ReadonlySet<string> = new Set<SchemaType>([
  ...(["INT8", "INT16", "INT32", "INT64", "FLOAT32", "FLOAT64", "BOOLEAN", "STRING"] as const),
  ...(["BYTES", "ARRAY", "MAP", "STRUCT"] as const),
]);

const CONFIG = z.object({
  spec: key
    .list()
    .superRefine((items, context) => {
      const spec = parseSpec(items);
      if ("fault" in spec) context.addIssue(spec.fault);
    })
    .describe(
      "Fields and types, as field:type, or one type for the whole key or value. Types: int8, int16, int32, int64, float32, float64, boolean, string.",
    )
    .meta({ importance: "HIGH" }),
  "replace.null.with.default": REPLACE_NULL,
});

/** What to cast: the whole (`whole`), or fields. */
interface Spec {
  readonly whole: CastType | null;
  readonly fields: ReadonlyMap<string, CastType>;
}

function parseSpec(items: readonly string[]): Spec | { readonly fault: string } {
  if (items.length === 0) return { fault: "Must specify at least one field to cast." };
  let whole: CastType | null = null;
  const fields = new Map<string, CastType>();
  for (const item of items) {
    const parts = item.replace(/:+$/, "").split(":");
    if (parts.length > 2) return { fault: `Invalid rename mapping: ${item}` };
    const name = (parts.at(-1) ?? "").trim();
    const type = name.toUpperCase();
    if (!TYPES.has(type)) return { fault: `Invalid type found in casting spec: ${name}` };
    if (!isCastType(type)) {
      return {
        fault: `Cast transformation does not support casting to ${type}; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]`,
      };
    }
    if (parts.length === 1) whole = type;
    else fields.set((parts[0] ?? "").trim(), type);
  }
  if (whole !== null && items.length > 1) {
    return {
      fault:
        "Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec",
    };
  }
  return { whole, fields };
}

/** The schema of a cast value; its default is cast as well. The whole value's keeps name and version, a field's does not. */
function castSchema(schema: Schema, type: CastType, basics: Partial<Schema>): Schema {
  const fallback = castValue(schema.default ?? null, schema, type);
  return { type, optional: schema.optional, ...basics, ...(fallback !== null && { default: fallback }) };
}

/** Casts fields, or the whole key or value, to other types. Source: org.apache.kafka.connect.transforms.Cast. */
function defineCast(side: Side) {
  return defineTransform({
    name: `cast-${side.name}`,
    version: "1.0.0",
    aliases: [javaName("Cast", side)],
    config: CONFIG,
    compile(config) {
      const spec = parseSpec(config.spec);
      if ("fault" in spec) throw new Error(spec.fault);
      const { whole, fields: casts } = spec;
      const replaceNull = config["replace.null.with.default"];
      const castWhole = memoizeSchema(
        (schema: Schema): Schema => (whole === null ? schema : castSchema(schema, whole, basicsOf(schema))),
      );
      const castStruct = memoizeSchema((schema: Schema): Schema => {
        const fields = fieldsOf(schema).map((field) => {
          const type = casts.get(field.name);
          return type === undefined ? field : { name: field.name, schema: castSchema(field.schema, type, {}) };
        });
        const cast = { ...structOf(fields, basicsOf(schema)), optional: schema.optional };
        return schema.default === undefined ? cast : { ...cast, default: castFields(schema.default, schema) };
      });

      function castFields(value: Value, schema: Schema): Value {
        const fields = requireFields({ schema, value }, PURPOSE);
        const struct: Record<string, Value> = {};
        for (const field of fieldsOf(schema)) {
          const type = casts.get(field.name);
          const item = readField(fields, field, replaceNull);
          const cast = type === undefined ? item : castValue(item, field.schema, type);
          setField(
            struct,
            field.name,
            admit(cast, field.name, type === undefined ? field.schema : { ...field.schema, type }),
          );
        }
        return struct;
      }

      return (record) => {
        const { schema, value } = side.get(record);
        if (value === null) return record;
        if (whole !== null) {
          const cast = schema === null ? null : castWhole(schema);
          return side.with(record, { schema: cast, value: castValue(value, schema, whole) });
        }
        if (schema !== null) {
          const cast = castStruct(schema);
          return side.with(record, { schema: cast, value: castFields(value, schema) });
        }
        const map: Record<string, Value> = { ...requireFields({ schema, value }, PURPOSE) };
        for (const [name, type] of casts) setField(map, name, castValue(fieldOf(map, name), null, type));
        return side.with(record, { schema: null, value: map });
      };
    },
  });
}

export const castKey = defineCast(KEY);
export const castValueTransform = defineCast(VALUE);
