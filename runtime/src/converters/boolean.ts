import {
  type Converter,
  DataError,
  defineConverter,
  type HeaderConverter,
  javaClassOf,
  type Schema,
  type SchemaAndValue,
} from "@headrace/sdk";
import { z } from "zod";
import { CONVERTER_TYPE } from "./converter-type.ts";

const SCHEMA: Schema = { type: "BOOLEAN", optional: true };
const TRUE = Buffer.of(1);
const FALSE = Buffer.of(0);

function encode({ schema, value }: SchemaAndValue): Buffer | null {
  if (schema !== null && schema.type !== "BOOLEAN") {
    throw new DataError(`Invalid schema type for BooleanConverter: ${schema.type}`);
  }
  if (value === null) return null;
  if (typeof value === "boolean") return value ? TRUE : FALSE;
  throw new DataError(`BooleanConverter is not compatible with objects of type class ${javaClassOf(value, schema)}`);
}

function decode(payload: Buffer | null): SchemaAndValue {
  if (payload === null) return { schema: SCHEMA, value: null };
  if (payload.length === 1 && (payload[0] === 0 || payload[0] === 1))
    return { schema: SCHEMA, value: payload[0] === 1 };
  throw new DataError("Failed to deserialize boolean: ", { cause: new Error("a boolean is one byte, 0 or 1") });
}

function compileBoolean(): Converter & HeaderConverter {
  return {
    encode: (_, data) => encode(data),
    decode: (_, payload) => decode(payload),
    encodeHeader: (_topic, _key, data) => encode(data),
    decodeHeader: (_topic, _key, payload) => decode(payload),
  };
}

/** Booleans as one byte. Source: org.apache.kafka.connect.converters.BooleanConverter. */
export const booleanConverter = defineConverter({
  name: "boolean",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.converters.BooleanConverter"],
  config: z.object(CONVERTER_TYPE),
  compile: compileBoolean,
  compileHeader: compileBoolean,
});
