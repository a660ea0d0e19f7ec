import { defineTransform, type Field, config as key, type Schema, type Value } from "@headrace/sdk";
import { z } from "zod";
import { fieldValue, javaName, KEY, memoizeSchema, requireFields, type Side, VALUE } from "./side.ts";

const RENAME = /^[^:]+:[^:]+$/;

const CONFIG = z.object({
  exclude: key.list().default([]).describe("Fields to leave out; wins over include.").meta({ importance: "MEDIUM" }),
  include: key.list().default([]).describe("Fields to keep; empty: all.").meta({ importance: "MEDIUM" }),
  renames: key
    .list()
    .refine((pairs) => pairs.every((pair) => RENAME.test(pair)), "Must be a list of renames old:new")
    .default([])
    .describe("Fields to rename, as old:new.")
    .meta({ importance: "MEDIUM" }),
  "replace.null.with.default": key
    .boolean()
    .default(true)
    .describe("Read a null field that has a default as its default.")
    .meta({ importance: "MEDIUM" }),
});

interface Kept {
  readonly from: string;
  readonly field: Field;
}

/** Source: org.apache.kafka.connect.transforms.ReplaceField. */
function defineReplaceField(side: Side) {
  return defineTransform({
    name: `replace-field-${side.name}`,
    version: "1.0.0",
    aliases: [javaName("ReplaceField", side)],
    config: CONFIG,
    compile(config) {
      const exclude = new Set(config.exclude);
      const include = new Set(config.include);
      const renames = new Map(
        config.renames.map((pair): [string, string] => {
          const [from = "", to = ""] = pair.split(":");
          return [from, to];
        }),
      );
      const keeps = (name: string) => !exclude.has(name) && (include.size === 0 || include.has(name));
      const rename = (name: string) => renames.get(name) ?? name;
      const replaceNull = config["replace.null.with.default"];
      const reshape = memoizeSchema((schema: Schema): { schema: Schema; kept: readonly Kept[] } => {
        const kept = (schema.fields ?? [])
          .filter((field) => keeps(field.name))
          .map((field) => ({ from: field.name, field: { name: rename(field.name), schema: field.schema } }));
        return { schema: { ...schema, fields: kept.map(({ field }) => field) }, kept };
      });
      return (record) => {
        const data = side.get(record);
        if (data.value === null) return record;
        const fields = requireFields(data, "field replacement");
        const value: Record<string, Value> = {};
        if (data.schema === null) {
          for (const [name, item] of Object.entries(fields)) if (keeps(name)) value[rename(name)] = item;
          return side.with(record, { schema: null, value });
        }
        const { schema, kept } = reshape(data.schema);
        for (const { from, field } of kept) value[field.name] = fieldValue(fields[from], field.schema, replaceNull);
        return side.with(record, { schema, value });
      };
    },
  });
}

export const replaceFieldKey = defineReplaceField(KEY);
export const replaceFieldValue = defineReplaceField(VALUE);
