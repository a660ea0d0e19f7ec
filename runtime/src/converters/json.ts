import {
  type Converter,
  compileJsonReader,
  compileJsonWriter,
  DataError,
  DECIMAL_NAME,
  defineConverter,
  type HeaderConverter,
  type JsonNode,
  type JsonReader,
  type JsonWriter,
  jsonTextOf,
  config as key,
  NULL_VALUE,
  type NumberMode,
  parseConnectJson,
  readJsonSchema,
  type Schema,
  type SchemaAndValue,
  toSchemaless,
  writeJsonSchema,
  writeSchemalessJson,
} from "@headrace/sdk";
import { z } from "zod";
import { CONVERTER_TYPE } from "./converter-type.ts";

const CONFIG = z
  .object({
    ...CONVERTER_TYPE,
    "schemas.enable": key
      .boolean()
      .default(true)
      .describe("Wrap each value in an envelope that carries its schema.")
      .meta({ importance: "HIGH", group: "Schemas", order: 0, width: "MEDIUM", displayName: "Enable Schemas" }),
    "schemas.cache.size": key
      .int()
      .default(1000)
      .describe("Number of schemas to keep.")
      .meta({ importance: "HIGH", group: "Schemas", order: 1, width: "MEDIUM", displayName: "Schema Cache Size" }),
    "schema.content": z
      .string()
      .optional()
      .describe("A JSON schema for all messages read; these come without an envelope then. Needs schemas.enable.")
      .meta({ importance: "HIGH", group: "Schemas", order: 2, width: "MEDIUM", displayName: "Schema Content" }),
    "decimal.format": z
      .string()
      .regex(/^(?:base64|numeric)$/i, "String must be one of (case insensitive): BASE64, NUMERIC")
      .default("BASE64")
      .describe("How decimals are written: BASE64 or NUMERIC.")
      .meta({
        configType: "STRING",
        importance: "LOW",
        group: "Serialization",
        order: 0,
        width: "MEDIUM",
        displayName: "Decimal Format",
        recommended: ["BASE64", "NUMERIC"],
      }),
    "replace.null.with.default": key
      .boolean()
      .default(true)
      .describe("Write and read the default of a field that has one in place of null.")
      .meta({
        importance: "LOW",
        group: "Serialization",
        order: 1,
        width: "MEDIUM",
        displayName: "Replace null with default",
      }),
  })
  .superRefine((config, context) => {
    try {
      fixedSchema(config);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      context.addIssue(`schema.content: ${error.message}`);
    }
  });
type Config = z.output<typeof CONFIG>;

/** The schema of `schema.content`; null if there is none. */
function fixedSchema(config: { readonly "schema.content"?: string | undefined }): Schema | null {
  const content = config["schema.content"] ?? "";
  return content === "" ? null : readJsonSchema(parseConnectJson(content, "value"));
}

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
      return value === null ? null : writeSchemalessJson(value);
    },
    decode(payload) {
      if (payload === null) return NULL_VALUE;
      const text = jsonTextOf(payload);
      return text.trim() === "" ? NULL_VALUE : { schema: null, value: toSchemaless(parseConnectJson(text, "whole")) };
    },
  };
}

function withEnvelope(config: Config): Codec {
  const writerOf = createWriters(config);
  const prefixes = new WeakMap<Schema, string>();

  function prefixOf(schema: Schema): string {
    const known = prefixes.get(schema);
    if (known !== undefined) return known;
    const text = writeJsonSchema(schema, (of, value) => writerOf(of)(value));
    const prefix = `{"schema":${text},"payload":`;
    prefixes.set(schema, prefix);
    return prefix;
  }

  return {
    encode({ schema, value }) {
      if (schema !== null) return `${prefixOf(schema)}${writerOf(schema)(value)}}`;
      return value === null ? null : `{"schema":null,"payload":${writeSchemalessJson(value)}}`;
    },
    decode: createEnvelopeReader(config),
  };
}

/** What reads the payloads of one schema. */
interface Known {
  readonly schema: Schema | null;
  readonly mode: NumberMode;
  readonly read: JsonReader;
}

function createEnvelopeReader(config: Config): (payload: Buffer | null) => SchemaAndValue {
  const replaceNull = config["replace.null.with.default"];
  const fixed = fixedSchema(config);
  const all = fixed === null ? null : toKnown(fixed, replaceNull);
  const schemas = new Map<string, Known>();
  let latest: { readonly prefix: Buffer; readonly known: Known } | null = null;

  function knownOf(node: JsonNode): Known {
    const text = JSON.stringify(node, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
    const found = schemas.get(text);
    if (found !== undefined) return found;
    const known = toKnown(readJsonSchema(node, replaceNull), replaceNull);
    if (schemas.size >= config["schemas.cache.size"]) schemas.clear();
    schemas.set(text, known);
    return known;
  }

  return (payload) => {
    if (payload === null) return NULL_VALUE;
    if (all !== null) return { schema: all.schema, value: all.read(parseConnectJson(jsonTextOf(payload), all.mode)) };
    if (latest !== null) {
      const node = readBehind(latest.prefix, payload, latest.known.mode);
      if (node !== undefined) return { schema: latest.known.schema, value: latest.known.read(node) };
    }
    const text = jsonTextOf(payload);
    const { schemaNode, payloadNode } = openEnvelope(parseConnectJson(text, "value"));
    const known = knownOf(schemaNode);
    latest = rememberPrefix(text, known) ?? latest;
    const node = known.mode === "value" ? payloadNode : openEnvelope(parseConnectJson(text, known.mode)).payloadNode;
    return { schema: known.schema, value: known.read(node) };
  };
}

function toKnown(schema: Schema | null, replaceNull: boolean): Known {
  if (schema === null) return { schema, mode: "whole", read: (node) => toSchemaless(node ?? null) };
  return { schema, mode: hasDecimals(schema) ? "exact" : "value", read: compileJsonReader(schema, replaceNull) };
}

function hasDecimals(schema: Schema): boolean {
  const inner = [schema.keySchema, schema.valueSchema, ...(schema.fields ?? []).map((field) => field.schema)];
  return schema.name === DECIMAL_NAME || inner.some((each) => each !== undefined && hasDecimals(each));
}

/**
 * Messages of one schema mostly start with the same bytes. If a text starts with `{"schema":S,"payload":`, S being JSON by itself, then
 * whatever follows those bytes in another message up to its last brace is that message's payload, provided that it is JSON by itself.
 */
function rememberPrefix(text: string, known: Known): { readonly prefix: Buffer; readonly known: Known } | null {
  const opening = '{"schema":';
  const middle = ',"payload":';
  const at = text.indexOf(middle);
  if (at < 0 || !text.startsWith(opening)) return null;
  try {
    JSON.parse(text.slice(opening.length, at));
  } catch {
    return null; // The member's name stands inside the schema as well.
  }
  return { prefix: Buffer.from(text.slice(0, at + middle.length)), known };
}

const CLOSING_BRACE = 0x7d;

/** The payload behind a known start; undefined if the message is not of that form. */
function readBehind(prefix: Buffer, payload: Buffer, mode: NumberMode): JsonNode | undefined {
  const end = payload.length - 1;
  if (end <= prefix.length || payload[end] !== CLOSING_BRACE) return undefined;
  if (payload.compare(prefix, 0, prefix.length, 0, prefix.length) !== 0) return undefined;
  try {
    return parseConnectJson(jsonTextOf(payload, prefix.length, end), mode);
  } catch (error) {
    if (error instanceof DataError) return undefined;
    throw error;
  }
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
