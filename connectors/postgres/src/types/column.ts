import {
  arraySchema,
  BOOLEAN_SCHEMA,
  FLOAT32_SCHEMA,
  FLOAT64_SCHEMA,
  INT16_SCHEMA,
  INT32_SCHEMA,
  INT64_SCHEMA,
  optional,
} from "@headrace/sdk";
import type { Column } from "@headrace/sql";
import { decodeItems } from "./array-text.ts";

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
