import { defineTransform, type Field, config as key, memoizeSchema, type Schema, type Value } from "@headrace/sdk";
import { z } from "zod";
import { basicsOf, structOf } from "./derived-schema.ts";
import { admit, fieldsOf, REPLACE_NULL, readField, requireFields, setField } from "./fields.ts";
import { names } from "./names.ts";
import { javaName, KEY, type Side, VALUE } from "./side.ts";

/** Java's split drops empty parts at the end: `a:b:` is a rename as well. */
const RENAME = /^([^:]*):([^:]+):*$/;

const CONFIG = z.object({
  exclude: names(true).default([]).describe("Fields to leave out; wins over include.").meta({ importance: "MEDIUM" }),
  include: names(true).default([]).describe("Fields to keep; empty: all.").meta({ importance: "MEDIUM" }),
  renames: key
    .list()
    .superRefine((pairs, context) => {
      for (const pair of pairs) if (!RENAME.test(pair)) context.addIssue(`Invalid rename mapping: ${pair}`);
    })
    .default([])
    .describe("Fields to rename, as old:new.")
    .meta({ importance: "MEDIUM" }),
  "replace.null.with.default": REPLACE_NULL,
});

interface Kept {
  readonly from: Field;
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
          const [, from = "", to = ""] = RENAME.exec(pair) ?? [];
          return [from, to];
        }),
      );
      const keeps = (name: string) => !exclude.has(name) && (include.size === 0 || include.has(name));
      const rename = (name: string) => renames.get(name) ?? name;
      const replaceNull = config["replace.null.with.default"];
      const reshape = memoizeSchema((schema: Schema): { schema: Schema; kept: readonly Kept[] } => {
        const kept = fieldsOf(schema)
          .filter((field) => keeps(field.name))
          .map((field) => ({ from: field, field: { name: rename(field.name), schema: field.schema } }));
        const fields = kept.map(({ field }) => field);
        return { schema: structOf(fields, basicsOf(schema)), kept };
      });
      return (record) => {
        const data = side.get(record);
        if (data.value === null) return record;
        const fields = requireFields(data, "field replacement");
        const value: Record<string, Value> = {};
        if (data.schema === null) {
          for (const [name, item] of Object.entries(fields)) if (keeps(name)) setField(value, rename(name), item);
          return side.with(record, { schema: null, value });
        }
        const { schema, kept } = reshape(data.schema);
        for (const { from, field } of kept) {
          setField(value, field.name, admit(readField(fields, from, replaceNull), field.name, field.schema));
        }
        return side.with(record, { schema, value });
      };
    },
  });
}

export const replaceFieldKey = defineReplaceField(KEY);
export const replaceFieldValue = defineReplaceField(VALUE);
