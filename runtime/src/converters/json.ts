import {
  type Converter,
  DataError,
  defineConverter,
  type HeaderConverter,
  config as key,
  NULL_VALUE,
  type Schema,
  type SchemaAndValue,
} from "@headrace/sdk";
import { z } from "zod";
import { type JsonNode, parseJson, readJsonValue, toSchemaless } from "./json-reader.ts";
import { readSchema, writeSchema } from "./json-schema.ts";
import { compileJsonWriter, type JsonWriter, writeSchemaless } from "./json-writer.ts";

const CONFIG = z.object({
  "schemas.enable": key.boolean().default(true).describe("Wrap each value in an envelope that carries its schema."),
  "schemas.cache.size": key.int({ min: 0 }).default(1000).describe("Number of schemas to keep."),
  "decimal.format": key
    .oneOf("BASE64", "NUMERIC", "base64", "numeric")
    .default("BASE64")
    .describe("How decimals are written: BASE64 or NUMERIC."),
  "replace.null.with.default": key
    .boolean()
    .default(true)
    .describe("Write and read the default of a field that has one in place of null."),
});
type Config = z.output<typeof CONFIG>;

const ENVELOPE_ERROR =
  'JsonConverter with schemas.enable requires "schema" and "payload" fields and may not contain additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.';

function compileJson(config: Config): Converter & HeaderConverter {
  const { encode, decode } = config["schemas.enable"] ? withEnvelope(config) : withoutEnvelope(config);
  return {
    encode: (_, data) => encode(data),
    decode: (_, payload) => decode(payload),
    encodeHeader: (_topic, _key, data) => encode(data),
    decodeHeader: (_topic, _key, payload) => decode(payload),
  };
}

interface Codec {
  encode(data: SchemaAndValue): string | null;
  decode(payload: Buffer | null): SchemaAndValue;
}

function withoutEnvelope(config: Config): Codec {
  const writerOf = createWriters(config);
  return {
    encode({ schema, value }) {
      if (schema !== null) return writerOf(schema)(value);
      return value === null ? null : writeSchemaless(value);
    },
    decode(payload) {
      if (payload === null) return NULL_VALUE;
      return { schema: null, value: toSchemaless(parseJson(payload.toString("utf8"))) };
    },
  };
}

function withEnvelope(config: Config): Codec {
  const writerOf = createWriters(config);
  const prefixes = new WeakMap<Schema, string>();
  const schemas = new Map<string, Schema | null>();
  const replaceNull = config["replace.null.with.default"];

  function prefixOf(schema: Schema): string {
    const known = prefixes.get(schema);
    if (known !== undefined) return known;
    const text = writeSchema(schema, (of, value) => writerOf(of)(value));
    const prefix = `{"schema":${text},"payload":`;
    prefixes.set(schema, prefix);
    return prefix;
  }

  function schemaOf(node: JsonNode): Schema | null {
    const text = writeSchemaless(toSchemaless(node));
    const known = schemas.get(text);
    if (known !== undefined) return known;
    const schema = readSchema(node);
    if (schemas.size >= config["schemas.cache.size"]) schemas.clear();
    schemas.set(text, schema);
    return schema;
  }

  return {
    encode({ schema, value }) {
      if (schema !== null) return `${prefixOf(schema)}${writerOf(schema)(value)}}`;
      return value === null ? null : `{"schema":null,"payload":${writeSchemaless(value)}}`;
    },
    decode(payload) {
      if (payload === null) return NULL_VALUE;
      const { schemaNode, payloadNode } = openEnvelope(parseJson(payload.toString("utf8")));
      const schema = schemaOf(schemaNode);
      const value = schema === null ? toSchemaless(payloadNode) : readJsonValue(schema, payloadNode, replaceNull);
      return { schema, value };
    },
  };
}

function openEnvelope(node: JsonNode): { schemaNode: JsonNode; payloadNode: JsonNode } {
  if (node === null || typeof node !== "object" || Array.isArray(node)) throw new DataError(ENVELOPE_ERROR);
  const envelope = new Map<string, JsonNode>(Object.entries(node));
  const schemaNode = envelope.get("schema");
  const payloadNode = envelope.get("payload");
  if (envelope.size !== 2 || schemaNode === undefined || payloadNode === undefined) throw new DataError(ENVELOPE_ERROR);
  return { schemaNode, payloadNode };
}

function createWriters(config: Config): (schema: Schema) => JsonWriter {
  const writers = new WeakMap<Schema, JsonWriter>();
  const options = {
    numericDecimals: config["decimal.format"].toUpperCase() === "NUMERIC",
    replaceNull: config["replace.null.with.default"],
  };
  return (schema) => {
    const known = writers.get(schema);
    if (known !== undefined) return known;
    const writer = compileJsonWriter(schema, options);
    writers.set(schema, writer);
    return writer;
  };
}

/** JSON, plain or in an envelope with its schema. Source: org.apache.kafka.connect.json.JsonConverter. */
export const jsonConverter = defineConverter({
  name: "json",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.json.JsonConverter"],
  config: CONFIG,
  compile: compileJson,
  compileHeader: compileJson,
});
