import { DataError, defineTransform, memoizeSchema, type Schema, type Value } from "@headrace/sdk";
import { z } from "zod";
import { structOf } from "./derived-schema.ts";
import { admit, fieldOf, fieldsOf, REPLACE_NULL, readField, requireFields, setField } from "./fields.ts";
import { names } from "./names.ts";

const CONFIG = z.object({
  fields: names().describe("Fields of the value that make up the key.").meta({ importance: "HIGH" }),
  "replace.null.with.default": REPLACE_NULL,
});

/** Makes a key of fields of the value. Source: org.apache.kafka.connect.transforms.ValueToKey. */
export const valueToKey = defineTransform({
  name: "value-to-key",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.transforms.ValueToKey"],
  config: CONFIG,
  compile(config) {
    const replaceNull = config["replace.null.with.default"];
    const keySchema = memoizeSchema((schema: Schema) => {
      const known = fieldsOf(schema);
      return structOf(
        config.fields.map((name) => {
          const field = known.find((each) => each.name === name);
          if (field === undefined) throw new DataError(`Field does not exist: ${name}`);
          return field;
        }),
      );
    });
    return (record) => {
      const fields = requireFields(record.value, "copying fields from value to key");
      const value: Record<string, Value> = {};
      if (record.value.schema === null) {
        for (const name of config.fields) setField(value, name, fieldOf(fields, name));
        return { ...record, key: { schema: null, value } };
      }
      const schema = keySchema(record.value.schema);
      for (const field of fieldsOf(schema)) {
        setField(value, field.name, admit(readField(fields, field, replaceNull), field.name, field.schema));
      }
      return { ...record, key: { schema, value } };
    };
  },
});
