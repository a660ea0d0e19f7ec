import {
  arraySchema,
  BOOLEAN_SCHEMA,
  FLOAT32_SCHEMA,
  FLOAT64_SCHEMA,
  INT16_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  optional,
  type Schema,
  STRING_SCHEMA,
  type Value,
} from "@headrace/sdk";
import { decodeItems } from "./array-text.ts";

/** How the values of a column become Connect's. */
export interface Column {
  /** Required; what admits NULL is up to the caller. */
  readonly schema: Schema;
  /** Of the text form of a value. null: it has no counterpart. Throws DataError for what the schema cannot hold. */
  decode(text: string): Value;
}

/** Text as it is. */
export const STRINGS: Column = { schema: STRING_SCHEMA, decode: (text) => text };

/** The counterpart of a type that has one of its own in Connect, whatever the settings; null for all others. */
export function plainColumn(typeName: string): Column | null {
  switch (typeName) {
    case "bool":
      return { schema: BOOLEAN_SCHEMA, decode: (text) => text === "t" };
    case "int2":
      return { schema: INT16_SCHEMA, decode: Number };
    case "int4":
      return { schema: INT32_SCHEMA, decode: Number };
    case "int8":
    case "oid":
      return { schema: INT64_SCHEMA, decode: BigInt };
    case "float4":
      return { schema: FLOAT32_SCHEMA, decode: Number };
    case "float8":
      return { schema: FLOAT64_SCHEMA, decode: Number };
    default:
      return null;
  }
}

/** An array with such items, any of which may be NULL. */
export function arrayOf(item: Column): Column {
  return { schema: arraySchema(optional(item.schema)), decode: (text) => decodeItems(text, item.decode) };
}
