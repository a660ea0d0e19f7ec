import {
  type Converter,
  DataError,
  defineConverter,
  type HeaderConverter,
  OPTIONAL_STRING_SCHEMA,
  type SchemaAndValue,
  toText,
} from "@headrace/sdk";
import { z } from "zod";
import { CONVERTER_TYPE } from "./converter-type.ts";

const CONFIG = z.object({
  ...CONVERTER_TYPE,
  "converter.encoding": z
    .string()
    .default("UTF-8")
    .describe("Character set; its Java name.")
    .meta({ importance: "HIGH", width: "MEDIUM", displayName: "Encoding" }),
});

/** Node's names of the character sets it can both write and read. */
const ENCODINGS: Readonly<Record<string, BufferEncoding>> = {
  "utf-8": "utf8",
  utf8: "utf8",
  "us-ascii": "ascii",
  ascii: "ascii",
  "iso-8859-1": "latin1",
  latin1: "latin1",
  "utf-16le": "utf16le",
};

function compileString(config: z.output<typeof CONFIG>): Converter & HeaderConverter {
  const encoding = ENCODINGS[config["converter.encoding"].toLowerCase()];
  if (encoding === undefined) throw new DataError(`Unsupported encoding ${config["converter.encoding"]}`);
  const encode = (_: string, data: SchemaAndValue) => {
    const { value } = data;
    if (value === null) return null;
    const text = typeof value === "string" ? value : toText(data);
    return encoding === "utf8" ? text : Buffer.from(text, encoding);
  };
  const decode = (_: string, payload: Buffer | null): SchemaAndValue => ({
    schema: OPTIONAL_STRING_SCHEMA,
    value: payload === null ? null : payload.toString(encoding),
  });
  return {
    encode,
    decode,
    keepsText: encoding === "utf8",
    ...(encoding === "utf8" && { textSchema: OPTIONAL_STRING_SCHEMA }),
    encodeHeader: (topic, _key, data) => encode(topic, data),
    decodeHeader: (topic, _key, payload) => decode(topic, payload),
  };
}

/** Text; other values are written as Java's `toString` writes them. Source: org.apache.kafka.connect.storage.StringConverter. */
export const stringConverter = defineConverter({
  name: "string",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.storage.StringConverter"],
  config: CONFIG,
  compile: compileString,
  compileHeader: compileString,
});
