import {
  DataError,
  defineTransform,
  type Field,
  config as key,
  memoizeSchema,
  type Schema,
  type Value,
} from "@headrace/sdk";
import { z } from "zod";
import { parseFieldPath } from "./field-path.ts";
import { type Fields, fieldOf, fieldsOf, REPLACE_NULL, readField, requireFields } from "./fields.ts";
import { javaName, KEY, type Side, VALUE } from "./side.ts";

const PURPOSE = "field extraction";
const NESTED = "nested field access";

const CONFIG = z
  .object({
    field: key
      .text()
      .describe("The field, or (field.syntax.version V2) the path to it.")
      .meta({ importance: "MEDIUM" }),
    "field.syntax.version": key
      .oneOf("V1", "V2", "v1", "v2")
      .default("V1")
      .describe("V1: field is a name. V2: field is a path such as a.b; back-ticks quote a name that has dots.")
      .meta({ importance: "HIGH", recommended: ["V1", "V2"] }),
    "replace.null.with.default": REPLACE_NULL,
  })
  .superRefine((config, context) => {
    const path = stepsOf(config);
    if ("fault" in path) context.addIssue(path.fault);
  });

function stepsOf(config: { readonly field: string; readonly "field.syntax.version": string }) {
  return config["field.syntax.version"].toUpperCase() === "V2"
    ? parseFieldPath(config.field)
    : { steps: [config.field] };
}

/** The fields on the way to the one wanted, and that one. */
interface Route {
  readonly parents: readonly Field[];
  readonly last: Field;
}

function routeTo(schema: Schema, steps: readonly string[]): Route | null {
  const parents: Field[] = [];
  let current = schema;
  for (const step of steps.slice(0, -1)) {
    const field = lookUp(current, step);
    if (field === undefined) return null;
    parents.push(field);
    current = field.schema;
  }
  const last = lookUp(current, steps.at(-1) ?? "");
  return last === undefined ? null : { parents, last };
}

function lookUp(schema: Schema, name: string): Field | undefined {
  if (schema.type !== "STRUCT") throw new DataError("Cannot look up fields on non-struct type");
  return fieldsOf(schema).find((field) => field.name === name);
}

function followRoute({ parents, last }: Route, struct: Fields, replaceNull: boolean): Value {
  let current = struct;
  for (const parent of parents) {
    const value = readField(current, parent, true);
    if (value === null) return null;
    current = requireFields({ schema: parent.schema, value }, NESTED);
  }
  return readField(current, last, replaceNull);
}

function followSteps(steps: readonly string[], map: Fields): Value {
  let current = map;
  for (const step of steps.slice(0, -1)) {
    const value = fieldOf(current, step);
    if (value === null) return null;
    current = requireFields({ schema: null, value }, NESTED);
  }
  return fieldOf(current, steps.at(-1) ?? "");
}

/** Replaces the key or value by one of its fields. Source: org.apache.kafka.connect.transforms.ExtractField, KIP-821. */
function defineExtractField(side: Side) {
  return defineTransform({
    name: `extract-field-${side.name}`,
    version: "1.0.0",
    aliases: [javaName("ExtractField", side)],
    config: CONFIG,
    compile(config) {
      const path = stepsOf(config);
      const steps = "steps" in path ? path.steps : [];
      const replaceNull = config["replace.null.with.default"];
      const route = memoizeSchema((schema: Schema) => routeTo(schema, steps));
      return (record) => {
        const data = side.get(record);
        const { schema, value } = data;
        if (schema === null) {
          const extracted = value === null ? null : followSteps(steps, requireFields(data, PURPOSE));
          return side.with(record, { schema: null, value: extracted });
        }
        const fields = value === null ? null : requireFields(data, PURPOSE);
        const found = route(schema);
        if (found === null) throw new DataError(`Unknown field: ${config.field}`);
        const extracted = fields === null ? null : followRoute(found, fields, replaceNull);
        return side.with(record, { schema: found.last.schema, value: extracted });
      };
    },
  });
}

export const extractFieldKey = defineExtractField(KEY);
export const extractFieldValue = defineExtractField(VALUE);
