import {
  type Converter,
  defineConverter,
  type HeaderConverter,
  NULL_VALUE,
  parseValueText,
  type SchemaAndValue,
  writeValueText,
} from "@headrace/sdk";
import { z } from "zod";

function encode(data: SchemaAndValue): string | null {
  return data.value === null ? null : writeValueText(data);
}

function decode(payload: Buffer | null): SchemaAndValue {
  if (payload === null) return NULL_VALUE;
  return parseValueText(payload.toString("utf8"));
}

function compileSimple(): Converter & HeaderConverter {
  return {
    encode: (_, data) => encode(data),
    decode: (_, payload) => decode(payload),
    encodeHeader: (_topic, _key, data) => encode(data),
    decodeHeader: (_topic, _key, payload) => decode(payload),
  };
}

/** Headers as text, with the type guessed from the text when read. Source: org.apache.kafka.connect.storage.SimpleHeaderConverter. */
export const simpleHeaderConverter = defineConverter({
  name: "simple-header",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.storage.SimpleHeaderConverter"],
  config: z.object({}),
  compile: compileSimple,
  compileHeader: compileSimple,
});
