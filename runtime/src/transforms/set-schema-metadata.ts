import { DataError, defineTransform, config as key, memoizeSchema, type Schema, type Value } from "@headrace/sdk";
import { z } from "zod";
import { admit, fieldsOf, REPLACE_NULL, readField, requireFields, setField } from "./fields.ts";
import { javaName, KEY, type Side, VALUE } from "./side.ts";

const CONFIG = z
  .object({
    "schema.name": key.text().optional().describe("The schema's new name.").meta({ importance: "HIGH" }),
    "schema.version": key.int().optional().describe("The schema's new version.").meta({ importance: "HIGH" }),
    "replace.null.with.default": REPLACE_NULL,
  })
  .superRefine((config, context) => {
    if (config["schema.name"] === undefined && config["schema.version"] === undefined) {
      context.addIssue("Neither schema name nor version configured");
    }
  });

/** Sets a schema's name and version. Source: org.apache.kafka.connect.transforms.SetSchemaMetadata. */
function defineSetSchemaMetadata(side: Side) {
  return defineTransform({
    name: `set-schema-metadata-${side.name}`,
    version: "1.0.0",
    aliases: [javaName("SetSchemaMetadata", side)],
    config: CONFIG,
    compile(config) {
      const name = config["schema.name"];
      const version = config["schema.version"];
      const replaceNull = config["replace.null.with.default"];
      const rename = memoizeSchema(
        (schema: Schema): Schema => ({
          ...schema,
          ...(name !== undefined && { name }),
          ...(version !== undefined && { version }),
        }),
      );
      return (record) => {
        const data = side.get(record);
        const { schema, value } = data;
        if (schema === null) {
          if (value === null) return record;
          throw new DataError("Schema required for [updating schema metadata]");
        }
        const renamed = rename(schema);
        if (value === null || schema.type !== "STRUCT") return side.with(record, { schema: renamed, value });
        const fields = requireFields(data, "updating schema metadata");
        const struct: Record<string, Value> = {};
        for (const field of fieldsOf(schema)) {
          setField(struct, field.name, admit(readField(fields, field, replaceNull), field.name, field.schema));
        }
        return side.with(record, { schema: renamed, value: struct });
      };
    },
  });
}

export const setSchemaMetadataKey = defineSetSchemaMetadata(KEY);
export const setSchemaMetadataValue = defineSetSchemaMetadata(VALUE);
