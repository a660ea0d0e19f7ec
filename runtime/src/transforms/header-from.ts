import {
  DataError,
  defineTransform,
  type Header,
  config as key,
  memoizeSchema,
  type Schema,
  type Value,
} from "@headrace/sdk";
import { z } from "zod";
import { basicsOf, structOf } from "./derived-schema.ts";
import { admit, fieldOf, fieldsOf, REPLACE_NULL, readField, requireFields, setField } from "./fields.ts";
import { javaName, KEY, type Side, VALUE } from "./side.ts";

const list = () => key.list().refine((items) => items.length > 0, "Empty list");

const CONFIG = z
  .object({
    fields: list().describe("Fields to move or copy.").meta({ importance: "HIGH" }),
    headers: list().describe("A header's name for each of the fields, in the same order.").meta({ importance: "HIGH" }),
    operation: key
      .oneOf("move", "copy")
      .describe("move removes the fields from the key or value, copy leaves them there.")
      .meta({ importance: "HIGH" }),
    "replace.null.with.default": REPLACE_NULL,
  })
  .superRefine((config, context) => {
    if (config.fields.length !== config.headers.length) {
      context.addIssue("'fields' config must have the same number of elements as 'headers' config.");
    }
  });

/** Moves or copies fields to headers. Source: org.apache.kafka.connect.transforms.HeaderFrom. */
function defineHeaderFrom(side: Side) {
  return defineTransform({
    name: `header-from-${side.name}`,
    version: "1.0.0",
    aliases: [javaName("HeaderFrom", side)],
    config: CONFIG,
    compile(config) {
      const { operation } = config;
      const purpose = `header ${operation}`;
      const moved = new Set(operation === "move" ? config.fields : []);
      const replaceNull = config["replace.null.with.default"];
      const shape = memoizeSchema((schema: Schema) => {
        const fields = fieldsOf(schema);
        const kept = fields.filter((field) => !moved.has(field.name));
        const sources = config.fields.map((name) => fields.find((field) => field.name === name));
        return { schema: operation === "move" ? structOf(kept, basicsOf(schema)) : schema, kept, sources };
      });
      const headerName = (index: number) => config.headers[index] ?? "";
      return (record) => {
        const data = side.get(record);
        const fields = requireFields(data, purpose);
        const headers: Header[] = [...record.headers];
        if (data.schema === null) {
          config.fields.forEach((name, index) => {
            headers.push({ key: headerName(index), schema: null, value: fieldOf(fields, name) });
          });
          const value: Record<string, Value> = {};
          for (const [name, item] of Object.entries(fields)) if (!moved.has(name)) setField(value, name, item);
          return { ...side.with(record, { schema: null, value }), headers };
        }
        const { schema, kept, sources } = shape(data.schema);
        const value: Record<string, Value> = {};
        for (const field of operation === "move" ? kept : []) {
          setField(value, field.name, admit(readField(fields, field, replaceNull), field.name, field.schema));
        }
        sources.forEach((source, index) => {
          if (source === undefined) throw new DataError(`Unknown field: ${config.fields[index]}`);
          const item = readField(fields, source, replaceNull);
          if (item === null && !source.schema.optional) {
            throw new DataError(`A null value requires an optional schema but was ${describe(source.schema)}`);
          }
          headers.push({ key: headerName(index), schema: source.schema, value: item });
        });
        if (operation === "copy") return { ...record, headers };
        return { ...side.with(record, { schema, value }), headers };
      };
    },
  });
}

function describe({ name, type }: Schema): string {
  return name === undefined ? `Schema{${type}}` : `Schema{${name}:${type}}`;
}

export const headerFromKey = defineHeaderFrom(KEY);
export const headerFromValue = defineHeaderFrom(VALUE);
