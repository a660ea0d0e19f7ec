import {
  DATE_NAME,
  DECIMAL_NAME,
  type Schema,
  type SchemaType,
  TIME_NAME,
  TIMESTAMP_NAME,
  type Value,
} from "./schema.ts";
import { WholeDouble } from "./whole-double.ts";

/** The Java classes that Connect's types have there; error messages name them. */
const CLASSES = {
  INT8: "java.lang.Byte",
  INT16: "java.lang.Short",
  INT32: "java.lang.Integer",
  INT64: "java.lang.Long",
  FLOAT32: "java.lang.Float",
  FLOAT64: "java.lang.Double",
  BOOLEAN: "java.lang.Boolean",
  STRING: "java.lang.String",
  BYTES: "[B",
  ARRAY: "java.util.ArrayList",
  MAP: "java.util.HashMap",
  STRUCT: "org.apache.kafka.connect.data.Struct",
} as const satisfies Record<SchemaType, string>;

const LOGICAL_CLASSES: ReadonlyMap<string, string> = new Map([
  [DECIMAL_NAME, "java.math.BigDecimal"],
  [DATE_NAME, "java.util.Date"],
  [TIME_NAME, "java.util.Date"],
  [TIMESTAMP_NAME, "java.util.Date"],
]);

/** The type that schemaless data has; null for a `Date`, which has none. Source: org.apache.kafka.connect.data.ConnectSchema.schemaType. */
export function typeOfValue(value: NonNullable<Value>): SchemaType | null {
  switch (typeof value) {
    case "string":
      return "STRING";
    case "boolean":
      return "BOOLEAN";
    case "bigint":
      return "INT64";
    case "number":
      return Number.isInteger(value) ? "INT64" : "FLOAT64";
    default:
      if (Array.isArray(value)) return "ARRAY";
      if (Buffer.isBuffer(value)) return "BYTES";
      if (value instanceof WholeDouble) return "FLOAT64";
      return value instanceof Date ? null : "MAP";
  }
}

/** The name of the class that a value has in Java, for messages that users and their tools know. */
export function javaClassOf(value: Value, schema: Schema | null): string {
  if (value === null) return "null";
  const logical = schema?.name === undefined ? undefined : LOGICAL_CLASSES.get(schema.name);
  if (logical !== undefined) return logical;
  const type = schema === null ? typeOfValue(value) : schema.type;
  return type === null ? "java.util.Date" : CLASSES[type];
}
