import {
  type Converter,
  defineConverter,
  type HeaderConverter,
  NULL_VALUE,
  type Schema,
  type SchemaAndValue,
} from "@headrace/sdk";
import { z } from "zod";
import { parseValueText } from "./value-text-parser.ts";
import { writeValueText } from "./value-text-writer.ts";

function encode(data: SchemaAndValue): string | null {
  return data.value === null ? null : writeValueText(data);
}

function decode(payload: Buffer | null): SchemaAndValue {
  if (payload === null) return NULL_VALUE;
  const text = payload.toString("utf8");
  if (text.includes("\ufffd") && !Buffer.from(text).equals(payload))
    return { schema: BYTES, value: Buffer.from(payload) };
  return parseValueText(text);
}

const BYTES: Schema = { type: "BYTES", optional: false };

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
