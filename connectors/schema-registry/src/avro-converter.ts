import { type AvroSchema, createAvroCodec, NamedTypes, parseAvroSchema } from "@headrace/avro";
import {
  type Converter,
  config,
  DataError,
  defineConverter,
  NULL_VALUE,
  type Schema,
  type SchemaAndValue,
  type Value,
} from "@headrace/sdk";
import { z } from "zod";
import { createRegistryClient, type RegistryClient } from "./client/registry.ts";
import { checkRegistrySettings, REGISTRY_KEYS } from "./client/settings.ts";
import { Fetched } from "./fetched.ts";
import { FRAME_SIZE, frameOf, idOf } from "./framing.ts";
import { createIdSource } from "./ids.ts";
import { fetchReferences } from "./references.ts";
import { subjectStrategy } from "./subject.ts";

const CONFIG = z
  .object({
    ...REGISTRY_KEYS,
    ...config.group("Avro", {
      "enhanced.avro.schema.support": config
        .boolean()
        .default(false)
        .describe("Keep Avro enums, and full names of the members of unions."),
      "connect.meta.data": config
        .boolean()
        .default(true)
        .describe("Put names, versions, docs, parameters and defaults of Connect's schemas into connect.* attributes."),
      "scrub.invalid.names": config
        .boolean()
        .default(false)
        .describe("Replace what Avro does not admit in names by _; otherwise such a name is an error."),
      "allow.optional.map.keys": config
        .boolean()
        .default(false)
        .describe("Write maps with optional text keys as Avro maps too."),
      "ignore.default.for.nullables": config
        .boolean()
        .default(false)
        .describe("Write null in an optional field that has a default as null, not as its default."),
    }),
  })
  .superRefine(checkRegistrySettings);
type Config = z.output<typeof CONFIG>;

type Encode = (value: Value, frame: Uint8Array) => Buffer;
interface Decoder {
  readonly schema: Schema | null;
  read(payload: Buffer, from: number): Value;
}

/** What the converter remembers of one Connect schema. */
interface Outgoing {
  readonly text: string;
  readonly avro: AvroSchema;
  /** By topic, once the registry has told the id. */
  readonly ready: Map<string, { readonly encode: Encode; readonly frame: Uint8Array; readonly until: number }>;
}

/** Compiles the converter for a client; apart from {@link avroConverter} for tests. */
export function compileAvro(
  settings: Config,
  isKey: boolean,
  client: RegistryClient,
  now: () => number = Date.now,
): Converter {
  const codec = createAvroCodec({
    enhanced: settings["enhanced.avro.schema.support"],
    metaData: settings["connect.meta.data"],
    scrub: settings["scrub.invalid.names"],
    optionalMapKeys: settings["allow.optional.map.keys"],
    nullsStay: settings["ignore.default.for.nullables"],
  });
  const subjectOf = subjectStrategy(settings, isKey);
  const size = settings["schemas.cache.config"];
  const ids = createIdSource(settings, client, now);
  const known = new WeakMap<Schema, Outgoing>();
  const decoders = new Fetched<Decoder>({ size });
  let schemaless: Outgoing | null = null;
  let last: { readonly topic: string; readonly id: number; readonly decoder: Decoder } | null = null;

  function outgoingOf(schema: Schema | null): Outgoing {
    const found = schema === null ? schemaless : known.get(schema);
    if (found !== undefined && found !== null) return found;
    const text = codec.schemaText(schema);
    const made: Outgoing = { text, avro: parseAvroSchema(text), ready: new Map() };
    if (schema === null) schemaless = made;
    else known.set(schema, made);
    return made;
  }

  function encoderFor(topic: string, schema: Schema | null) {
    const outgoing = outgoingOf(schema);
    const ready = outgoing.ready.get(topic);
    if (ready !== undefined && now() < ready.until) return ready;
    const subject = subjectOf(topic, recordName(outgoing.avro));
    const found = ids.get(subject, { type: "AVRO", text: outgoing.text, references: [] });
    const avro =
      found.written === null ? outgoing.avro : parseAvroSchema(found.written.text, namedOf(found.referenced));
    const made = { encode: codec.encoder(avro, schema), frame: frameOf(found.id), until: found.until };
    if (outgoing.ready.size >= size) outgoing.ready.clear();
    outgoing.ready.set(topic, made);
    return made;
  }

  async function fetchDecoder(topic: string, id: number): Promise<Decoder> {
    const schema = await client.schemaById(id);
    if (schema.type !== "AVRO") throw new DataError(`schema ${id} is no Avro schema but ${schema.type}`);
    const avro = parseAvroSchema(schema.text, namedOf(await fetchReferences(client, schema)));
    const version = await client.versionOf(id, subjectOf(topic, recordName(avro)));
    return codec.decoder(avro, version);
  }

  function decoderFor(topic: string, id: number): Decoder {
    if (last !== null && last.id === id && last.topic === topic) return last.decoder;
    const decoder = decoders.get(`${id} ${topic}`, () => fetchDecoder(topic, id));
    last = { topic, id, decoder };
    return decoder;
  }

  return {
    encode(topic, { schema, value }) {
      if (value === null && (schema === null || schema.optional)) return null;
      const { encode, frame } = encoderFor(topic, schema);
      return encode(value, frame);
    },
    decode(topic, payload): SchemaAndValue {
      if (payload === null) return NULL_VALUE;
      const { schema, read } = decoderFor(topic, idOf(payload));
      return { schema, value: read(payload, FRAME_SIZE) };
    },
  };
}

/** The name of a record, also of one that is optional; null for other types. */
function recordName(avro: AvroSchema): string | null {
  if (avro.kind === "record") return avro.name;
  if (avro.kind !== "union") return null;
  const records = avro.members.filter((member) => member.kind === "record");
  return records.length === 1 && records[0] !== undefined ? recordName(records[0]) : null;
}

/** The types that referenced schemas define; they come in the order in which they need one another. */
function namedOf(references: readonly { readonly text: string }[]): NamedTypes {
  const named = new NamedTypes();
  for (const { text } of references) parseAvroSchema(text, named);
  return named;
}

/** Avro with a schema registry. Source: io.confluent.connect.avro.AvroConverter. */
export const avroConverter = defineConverter({
  name: "avro",
  version: "1.0.0",
  aliases: ["io.confluent.connect.avro.AvroConverter"],
  config: CONFIG,
  compile: (settings, isKey) => compileAvro(settings, isKey, createRegistryClient({ settings })),
});
