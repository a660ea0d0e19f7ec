import { defineTransform, config as key, memoizeSchema, type Schema } from "@headrace/sdk";
import { z } from "zod";
import { structOf } from "./derived-schema.ts";
import { admit } from "./fields.ts";
import { javaName, KEY, type Side, VALUE } from "./side.ts";

const CONFIG = z.object({
  field: key.text().describe("Name of the one field of the new struct or map.").meta({ importance: "MEDIUM" }),
});

/** Wraps the key or value into a struct (with schema) or map of one field. Source: org.apache.kafka.connect.transforms.HoistField. */
function defineHoistField(side: Side) {
  return defineTransform({
    name: `hoist-field-${side.name}`,
    version: "1.0.0",
    aliases: [javaName("HoistField", side)],
    config: CONFIG,
    compile({ field }) {
      const wrap = memoizeSchema((schema: Schema) => structOf([{ name: field, schema }]));
      return (record) => {
        const { schema, value } = side.get(record);
        if (schema === null) return side.with(record, { schema: null, value: { [field]: value } });
        const wrapped = wrap(schema);
        return side.with(record, { schema: wrapped, value: { [field]: admit(value, field, schema) } });
      };
    },
  });
}

export const hoistFieldKey = defineHoistField(KEY);
export const hoistFieldValue = defineHoistField(VALUE);
