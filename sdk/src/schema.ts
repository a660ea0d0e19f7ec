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
 * Without a schema: integers are `number` up to 2^53 and `bigint` beyond, objects are plain objects, the rest as above.
 * Source: org.apache.kafka.connect.data.
 */

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

export const STRING_SCHEMA: Schema = { type: "STRING", optional: false };
export const OPTIONAL_STRING_SCHEMA: Schema = { type: "STRING", optional: true };
export const BYTES_SCHEMA: Schema = { type: "BYTES", optional: false };
export const OPTIONAL_BYTES_SCHEMA: Schema = { type: "BYTES", optional: true };
export const INT32_SCHEMA: Schema = { type: "INT32", optional: false };
export const INT64_SCHEMA: Schema = { type: "INT64", optional: false };

/** The pair for "nothing": a null key, or the value of a tombstone. */
export const NULL_VALUE: SchemaAndValue = { schema: null, value: null };
