import { DATE_NAME, DataError, DECIMAL_NAME, type Schema, scaleOf, TIME_NAME, TIMESTAMP_NAME } from "@headrace/sdk";
import type { SchemaElement } from "hyparquet";

/** Digits of decimals whose schema does not tell them: the most that other readers take. */
const PRECISION = 38;

/**
 * The elements of a Parquet schema, a parent before its children. Lists and maps have three levels; what is optional is OPTIONAL.
 * Throws DataError for what Parquet has not: structs without fields, decimals of negative scale.
 * Source: apache/parquet-format, LogicalTypes.md.
 */
export function parquetElements(schema: Schema): readonly SchemaElement[] {
  const fields = schema.fields ?? [];
  if (schema.type !== "STRUCT" || fields.length === 0) throw new DataError("Parquet takes structs with fields only");
  return [
    { name: schema.name?.replace(/.*\./, "") ?? "record", num_children: fields.length },
    ...fields.flatMap((field) => elementsOf(field.name, field.schema)),
  ];
}

function elementsOf(name: string, schema: Schema): readonly SchemaElement[] {
  const base = { name, repetition_type: schema.optional ? "OPTIONAL" : "REQUIRED" } as const;
  const repeated = { repetition_type: "REPEATED" } as const;
  switch (schema.type) {
    case "STRUCT": {
      const fields = schema.fields ?? [];
      if (fields.length === 0) throw new DataError(`Parquet has no struct without fields (${name})`);
      return [
        { ...base, num_children: fields.length },
        ...fields.flatMap((field) => elementsOf(field.name, field.schema)),
      ];
    }
    case "ARRAY":
      return [
        { ...base, converted_type: "LIST", num_children: 1 },
        { ...repeated, name: "list", num_children: 1 },
        ...elementsOf("element", innerOf(schema.valueSchema, name)),
      ];
    case "MAP":
      return [
        { ...base, converted_type: "MAP", num_children: 1 },
        { ...repeated, name: "key_value", num_children: 2 },
        ...elementsOf("key", { ...innerOf(schema.keySchema, name), optional: false }),
        ...elementsOf("value", innerOf(schema.valueSchema, name)),
      ];
    default:
      return [{ ...base, ...leafOf(schema) }];
  }
}

function innerOf(schema: Schema | undefined, name: string): Schema {
  if (schema === undefined) throw new DataError(`the schema of ${name} does not say of what`);
  return schema;
}

function leafOf(schema: Schema): Omit<SchemaElement, "name"> {
  switch (schema.name) {
    case DECIMAL_NAME: {
      const scale = scaleOf(schema);
      if (scale < 0) throw new DataError("Parquet has no decimals of negative scale");
      const told = Number(schema.parameters?.["connect.decimal.precision"]);
      const precision = Math.max(Number.isInteger(told) && told > 0 ? told : PRECISION, scale);
      return { type: "BYTE_ARRAY", converted_type: "DECIMAL", scale, precision };
    }
    case DATE_NAME:
      return { type: "INT32", converted_type: "DATE" };
    case TIME_NAME:
      return { type: "INT32", converted_type: "TIME_MILLIS" };
    case TIMESTAMP_NAME:
      return { type: "INT64", converted_type: "TIMESTAMP_MILLIS" };
    default:
      return plainLeaf(schema.type);
  }
}

function plainLeaf(type: Schema["type"]): Omit<SchemaElement, "name"> {
  switch (type) {
    case "BOOLEAN":
      return { type: "BOOLEAN" };
    case "INT8":
      return { type: "INT32", converted_type: "INT_8" };
    case "INT16":
      return { type: "INT32", converted_type: "INT_16" };
    case "INT32":
      return { type: "INT32" };
    case "INT64":
      return { type: "INT64" };
    case "FLOAT32":
      return { type: "FLOAT" };
    case "FLOAT64":
      return { type: "DOUBLE" };
    case "STRING":
      return { type: "BYTE_ARRAY", converted_type: "UTF8" };
    case "BYTES":
      return { type: "BYTE_ARRAY" };
    default:
      throw new Error(`${type} is no leaf`);
  }
}
