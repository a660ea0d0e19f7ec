import {
  type Converter,
  DataError,
  DECIMAL_NAME,
  defineConverter,
  type HeaderConverter,
  javaClassOf,
  OPTIONAL_BYTES_SCHEMA,
  type SchemaAndValue,
} from "@headrace/sdk";
import { z } from "zod";
import { CONVERTER_TYPE } from "./converter-type.ts";

function encode(_: string, data: SchemaAndValue): Buffer | null {
  if (data.schema !== null && data.schema.type !== "BYTES") {
    throw new DataError(`Invalid schema type for ByteArrayConverter: ${data.schema.type}`);
  }
  if (data.value !== null && (!Buffer.isBuffer(data.value) || data.schema?.name === DECIMAL_NAME)) {
    throw new DataError(
      `ByteArrayConverter is not compatible with objects of type class ${javaClassOf(data.value, data.schema)}`,
    );
  }
  return data.value;
}

const decode = (_: string, payload: Buffer | null): SchemaAndValue => ({
  schema: OPTIONAL_BYTES_SCHEMA,
  value: payload === null ? null : Buffer.from(payload),
});

function compileBytes(): Converter & HeaderConverter {
  return {
    encode,
    decode,
    encodeHeader: (topic, _key, data) => encode(topic, data),
    decodeHeader: (topic, _key, payload) => decode(topic, payload),
  };
}

/** Bytes as they are. Source: org.apache.kafka.connect.converters.ByteArrayConverter. */
export const byteArrayConverter = defineConverter({
  name: "byte-array",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.converters.ByteArrayConverter"],
  config: z.object(CONVERTER_TYPE),
  compile: compileBytes,
  compileHeader: compileBytes,
});
