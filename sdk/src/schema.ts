/**
 * Connect's data model: schemas, and the one form that values have everywhere in Headrace.
 *
 * | Connect type | value |
 * |---|---|
 * | INT8 INT16 INT32 FLOAT32 FLOAT64 | `number` |
 * | INT64 | `bigint`, always |
 * | BOOLEAN, STRING, BYTES | `boolean`, `string`, `Buffer` |
 * | ARRAY | array |
 * | MAP | `Map` |
 * | STRUCT | plain object, one property per field |
 *
 * Logical types have the value of their base type: Decimal its unscaled integer as `Buffer` (two's complement, big-endian), Date its days,
 * Time and Timestamp their milliseconds.
 *
 * Without a schema: integers are `number` up to 2^53 and `bigint` beyond, objects are plain objects, the rest as above. A floating-point
 * number without a fraction is a {@link WholeDouble} between converters and transforms, so that 10.0 stays what it is; connectors get
 * the plain number. `Date` is what a schemaless transform makes of a timestamp.
 * Source: org.apache.kafka.connect.data.
 */
import type { WholeDouble } from "./whole-double.ts";

export type SchemaType =
  | "INT8"
  | "INT16"
  | "INT32"
  | "INT64"
  | "FLOAT32"
  | "FLOAT64"
  | "BOOLEAN"
  | "STRING"
  | "BYTES"
  | "ARRAY"
  | "MAP"
  | "STRUCT";

/** A value in the form described at the top of this file. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Buffer
  | WholeDouble
  | Date
  | readonly Value[]
  | ReadonlyMap<Value, Value>
  | { readonly [field: string]: Value };

/** One field of a STRUCT schema; a field's position in {@link Schema.fields} is its index. */
export interface Field {
  readonly name: string;
  readonly schema: Schema;
}

/** A Connect schema. Two schemas are equal if all attributes are. */
export interface Schema {
  readonly type: SchemaType;
  readonly optional: boolean;
  readonly name?: string;
  readonly version?: number;
  readonly doc?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly default?: Value;
  /** Of MAP only. */
  readonly keySchema?: Schema;
  /** Of MAP and ARRAY only. */
  readonly valueSchema?: Schema;
  /** Of STRUCT only. */
  readonly fields?: readonly Field[];
}

/** A value with its schema; `schema: null` is schemaless data. */
export interface SchemaAndValue {
  readonly schema: Schema | null;
  readonly value: Value;
}

/** A record header. Keys may repeat; order is kept. */
export interface Header extends SchemaAndValue {
  readonly key: string;
}

export const BOOLEAN_SCHEMA: Schema = { type: "BOOLEAN", optional: false };
export const INT8_SCHEMA: Schema = { type: "INT8", optional: false };
export const INT16_SCHEMA: Schema = { type: "INT16", optional: false };
export const FLOAT32_SCHEMA: Schema = { type: "FLOAT32", optional: false };
export const FLOAT64_SCHEMA: Schema = { type: "FLOAT64", optional: false };
export const STRING_SCHEMA: Schema = { type: "STRING", optional: false };
export const OPTIONAL_STRING_SCHEMA: Schema = { type: "STRING", optional: true };
export const BYTES_SCHEMA: Schema = { type: "BYTES", optional: false };
export const OPTIONAL_BYTES_SCHEMA: Schema = { type: "BYTES", optional: true };
export const INT32_SCHEMA: Schema = { type: "INT32", optional: false };
export const INT64_SCHEMA: Schema = { type: "INT64", optional: false };

/** The pair for "nothing": a null key, or the value of a tombstone. */
export const NULL_VALUE: SchemaAndValue = { schema: null, value: null };

/** Names that mark logical types, all of version 1. Source: org.apache.kafka.connect.data.{Decimal,Date,Time,Timestamp}. */
export const DECIMAL_NAME = "org.apache.kafka.connect.data.Decimal";
export const DATE_NAME = "org.apache.kafka.connect.data.Date";
export const TIME_NAME = "org.apache.kafka.connect.data.Time";
export const TIMESTAMP_NAME = "org.apache.kafka.connect.data.Timestamp";

/** Milliseconds since the epoch. */
export const TIMESTAMP_SCHEMA: Schema = { type: "INT64", optional: false, name: TIMESTAMP_NAME, version: 1 };

/** Days since the epoch. */
export const DATE_SCHEMA: Schema = { type: "INT32", optional: false, name: DATE_NAME, version: 1 };

/** Milliseconds since midnight. */
export const TIME_SCHEMA: Schema = { type: "INT32", optional: false, name: TIME_NAME, version: 1 };

/** The same schema, admitting null. */
export function optional(schema: Schema): Schema {
  return schema.optional ? schema : { ...schema, optional: true };
}

/** A required STRUCT with these fields, in this order. */
export function structSchema(fields: Readonly<Record<string, Schema>>, name?: string): Schema {
  return {
    type: "STRUCT",
    optional: false,
    ...(name === undefined ? {} : { name }),
    fields: Object.entries(fields).map(([field, schema]) => ({ name: field, schema })),
  };
}

/** A required ARRAY. */
export function arraySchema(items: Schema): Schema {
  return { type: "ARRAY", optional: false, valueSchema: items };
}

/** A required MAP. */
export function mapSchema(keys: Schema, values: Schema): Schema {
  return { type: "MAP", optional: false, keySchema: keys, valueSchema: values };
}

/** The same schema with other attributes; a default that is null makes it optional. */
export function withAttributes(schema: Schema, attributes: Partial<Omit<Schema, "type">>): Schema {
  return { ...schema, ...attributes, ...(attributes.default === null ? { optional: true } : {}) };
}
