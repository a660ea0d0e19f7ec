import {
  DataError,
  defineTransform,
  type Field,
  javaClassOf,
  config as key,
  memoizeSchema,
  type Schema,
  typeOfValue,
  type Value,
} from "@headrace/sdk";
import { z } from "zod";
import { addName, basicsOf, structOf } from "./derived-schema.ts";
import { admit, type Fields, fieldOf, fieldsOf, readField, requireFields, setField } from "./fields.ts";
import { javaName, KEY, type Side, VALUE } from "./side.ts";

const PURPOSE = "flattening";

const CONFIG = z.object({
  delimiter: key
    .text()
    .default(".")
    .describe("Text between the names of a nested field in the new field's name.")
    .meta({ importance: "MEDIUM" }),
});

/** A field of the flat struct: where its value lies in the nested one. */
interface Leaf {
  readonly parents: readonly string[];
  readonly source: Field;
  readonly field: Field;
}

interface Level {
  readonly parents: readonly string[];
  readonly prefix: string;
  readonly optional: boolean;
  readonly fallback: Fields | null;
}

function leavesOf(schema: Schema, delimiter: string): readonly Leaf[] {
  const leaves: Leaf[] = [];
  const names = new Set<string>();
  const visit = (current: Schema, { parents, prefix, optional, fallback }: Level) => {
    for (const source of fieldsOf(current)) {
      const name = joinNames(prefix, delimiter, source.name);
      const own = source.schema;
      const isOptional = optional || own.optional;
      const inherited = own.default ?? (fallback === null ? null : readField(fallback, source, true));
      if (own.type === "MAP") {
        throw new DataError(`Flatten transformation does not support MAP for record with schemas (for field ${name}).`);
      }
      if (own.type === "STRUCT") {
        visit(own, {
          parents: [...parents, source.name],
          prefix: name,
          optional: isOptional,
          fallback: inherited === null ? null : requireFields({ schema: own, value: inherited }, PURPOSE),
        });
        continue;
      }
      const flat: Schema = {
        type: own.type,
        optional: isOptional,
        ...basicsOf(own),
        ...(own.valueSchema !== undefined && { valueSchema: own.valueSchema }),
        ...(inherited !== null && { default: inherited }),
      };
      addName(names, name);
      leaves.push({ parents, source, field: { name, schema: flat } });
    }
  };
  const fallback = schema.default ?? null;
  visit(schema, {
    parents: [],
    prefix: "",
    optional: schema.optional,
    fallback: fallback === null ? null : requireFields({ schema, value: fallback }, PURPOSE),
  });
  return leaves;
}

function joinNames(prefix: string, delimiter: string, name: string): string {
  return prefix === "" ? name : `${prefix}${delimiter}${name}`;
}

/** The value of a leaf; null below a null struct. */
function leafValue(leaf: Leaf, struct: Fields): Value {
  let current = struct;
  for (const parent of leaf.parents) {
    const next = fieldOf(current, parent);
    if (next === null) return null;
    current = next as Fields;
  }
  return admit(readField(current, leaf.source, true), leaf.field.name, leaf.field.schema);
}

function flattenMap(map: Fields, prefix: string, delimiter: string, out: Record<string, Value>): void {
  for (const [key, value] of Object.entries(map)) {
    const name = joinNames(prefix, delimiter, key);
    const type = value === null ? "STRING" : typeOfValue(value);
    if (type === null) {
      throw new DataError(
        `Flatten transformation was passed a value of type class ${javaClassOf(value, null)} which is not supported by Connect's data API`,
      );
    }
    if (type === "MAP") flattenMap(requireFields({ schema: null, value }, PURPOSE), name, delimiter, out);
    else setField(out, name, value);
  }
}

/** Makes nested structs or maps one level, with joined names. Source: org.apache.kafka.connect.transforms.Flatten. */
function defineFlatten(side: Side) {
  return defineTransform({
    name: `flatten-${side.name}`,
    version: "1.0.0",
    aliases: [javaName("Flatten", side)],
    config: CONFIG,
    compile({ delimiter }) {
      const flatten = memoizeSchema((schema: Schema) => {
        const leaves = leavesOf(schema, delimiter);
        return {
          leaves,
          schema: structOf(
            leaves.map((leaf) => leaf.field),
            basicsOf(schema),
          ),
        };
      });
      return (record) => {
        const data = side.get(record);
        if (data.value === null) return record;
        const fields = requireFields(data, PURPOSE);
        const value: Record<string, Value> = {};
        if (data.schema === null) {
          flattenMap(fields, "", delimiter, value);
          return side.with(record, { schema: null, value });
        }
        const { schema, leaves } = flatten(data.schema);
        for (const leaf of leaves) setField(value, leaf.field.name, leafValue(leaf, fields));
        return side.with(record, { schema, value });
      };
    },
  });
}

export const flattenKey = defineFlatten(KEY);
export const flattenValue = defineFlatten(VALUE);
