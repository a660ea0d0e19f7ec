import { type Converter, config, DataError, defineConverter, NULL_VALUE, type Schema, type Value } from "@headrace/sdk";
import { z } from "zod";
import { createRegistryClient, type RegistryClient } from "./client/registry.ts";
import { checkRegistrySettings, REGISTRY_KEYS } from "./client/settings.ts";
import { Fetched } from "./fetched.ts";
import { idOf } from "./framing.ts";
import { createIdSource } from "./ids.ts";
import { type OwnSchema, protoSchemaOf } from "./protobuf/from-connect.ts";
import { protobufFrameOf, readIndexes } from "./protobuf/message-indexes.ts";
import { parseProtoFile } from "./protobuf/parse.ts";
import { type Located, messageAt, messageNamed, type ProtoFile } from "./protobuf/proto-schema.ts";
import { compileReader, type Read } from "./protobuf/reader.ts";
import { connectSchemaOf } from "./protobuf/to-connect.ts";
import { WireReader } from "./protobuf/wire-reader.ts";
import { WireWriter } from "./protobuf/wire-writer.ts";
import { compileWriter, type Write } from "./protobuf/writer.ts";
import { fetchReferences } from "./references.ts";
import { subjectStrategy } from "./subject.ts";

const flag = (fallback: boolean, text: string) => config.boolean().default(fallback).describe(text);
const unsupported = (key: string) =>
  config
    .boolean()
    .refine((given) => !given, `${key}=true is not supported`)
    .default(false)
    .describe("Not supported: true is refused.")
    .meta({ importance: "LOW" });

const CONFIG = z
  .object({
    ...REGISTRY_KEYS,
    ...config.group("Protobuf", {
      "enhanced.protobuf.schema.support": flag(
        false,
        "Keep packages: schemas are named by the full names of their messages.",
      ),
      "scrub.invalid.names": flag(
        false,
        "Replace what protobuf does not admit in names by _; otherwise such a name is an error.",
      ),
      "int.for.enums": flag(false, "Read enums as numbers, not as texts."),
      "optional.for.nullables": flag(
        false,
        "Mark optional fields by the label optional; only fields with it are optional when read.",
      ),
      "optional.for.proto2": flag(
        true,
        "Fields of proto2 that are optional and not there are null, not their default.",
      ),
      "wrapper.for.nullables": flag(
        false,
        "Write optional fields as wrapper messages such as google.protobuf.StringValue; other fields are required when read.",
      ),
      "wrapper.for.raw.primitives": flag(true, "Read wrapper messages as the values in them."),
      "generate.struct.for.nulls": flag(false, "Read a message that is not there as one of which nothing is set."),
      "generate.index.for.unions": flag(true, "Name the field of a oneof by its name, _ and its place."),
      "flatten.unions": flag(false, "Read the members of a oneof as fields of their own."),
      "ignore.default.for.nullables": flag(
        false,
        "Write null in an optional field that has a default as null, not as its default.",
      ),
      "generalized.sum.type.support": unsupported("generalized.sum.type.support"),
    }),
  })
  .superRefine(checkRegistrySettings);
type Config = z.output<typeof CONFIG>;

/** What writes the records of a schema to a topic. */
interface Outlet {
  readonly write: Write;
  readonly frame: Uint8Array;
  readonly until: number;
}

interface Outgoing extends OwnSchema {
  readonly ready: Map<string, Outlet>;
}

interface Decoder {
  readonly schema: Schema;
  readonly read: Read;
}

/** Compiles the converter for a client; apart from {@link protobufConverter} for tests. */
export function compileProtobuf(
  settings: Config,
  isKey: boolean,
  client: RegistryClient,
  now: () => number = Date.now,
): Converter {
  const written = {
    scrub: settings["scrub.invalid.names"],
    optionalForNullables: settings["optional.for.nullables"],
    wrapperForNullables: settings["wrapper.for.nullables"],
    nullsStay: settings["ignore.default.for.nullables"],
  };
  const readAs = {
    enhanced: settings["enhanced.protobuf.schema.support"],
    intForEnums: settings["int.for.enums"],
    optionalForNullables: settings["optional.for.nullables"],
    optionalForProto2: settings["optional.for.proto2"],
    wrapperForNullables: settings["wrapper.for.nullables"],
    wrapperForRawPrimitives: settings["wrapper.for.raw.primitives"],
    structForNulls: settings["generate.struct.for.nulls"],
    indexForUnions: settings["generate.index.for.unions"],
    flattenUnions: settings["flatten.unions"],
  };
  const subjectOf = subjectStrategy(settings, isKey);
  const size = settings["schemas.cache.config"];
  const ids = createIdSource(settings, client, now);
  const known = new WeakMap<Schema, Outgoing>();
  const files = new Fetched<ProtoFile>({ size });
  const decoders = new Fetched<Decoder>({ size });
  const out = new WireWriter();
  const data = new WireReader();
  let last: { readonly topic: string; readonly id: number; readonly path: string; readonly decoder: Decoder } | null =
    null;

  function outgoingOf(schema: Schema): Outgoing {
    const found = known.get(schema);
    if (found !== undefined) return found;
    const made = { ...protoSchemaOf(schema, written), ready: new Map<string, Outlet>() };
    known.set(schema, made);
    return made;
  }

  function outletFor(topic: string, schema: Schema): Outlet {
    const outgoing = outgoingOf(schema);
    const ready = outgoing.ready.get(topic);
    if (ready !== undefined && now() < ready.until) return ready;
    const { fullName } = outgoing.message;
    const found = ids.get(subjectOf(topic, fullName), { type: "PROTOBUF", text: outgoing.text, references: [] });
    const file = found.written === null ? outgoing.file : parseProtoFile(found.written.text, found.referenced);
    const { message, indexes } = locate(file, fullName);
    const made = {
      write: compileWriter(message, schema, { ...written, lenient: found.written !== null }),
      frame: protobufFrameOf(found.id, indexes),
      until: found.until,
    };
    if (outgoing.ready.size >= size) outgoing.ready.clear();
    outgoing.ready.set(topic, made);
    return made;
  }

  async function fetchFile(id: number): Promise<ProtoFile> {
    const schema = await client.schemaById(id);
    if (schema.type !== "PROTOBUF") throw new DataError(`schema ${id} is no protobuf schema but ${schema.type}`);
    return parseProtoFile(schema.text, await fetchReferences(client, schema));
  }

  async function createDecoder(
    topic: string,
    id: number,
    file: ProtoFile,
    indexes: readonly number[],
  ): Promise<Decoder> {
    const message = messageAt(file, indexes);
    if (message === null) throw new DataError(`schema ${id} has no message ${indexes.join(".")}`);
    const version = await client.versionOf(id, subjectOf(topic, message.fullName));
    const schema = connectSchemaOf(message, readAs, version);
    return { schema, read: compileReader(message, schema, readAs) };
  }

  function decoderFor(topic: string, id: number, indexes: readonly number[]): Decoder {
    const path = indexes.join(".");
    if (last !== null && last.id === id && last.path === path && last.topic === topic) return last.decoder;
    const file = files.get(String(id), () => fetchFile(id));
    const decoder = decoders.get(`${id} ${path} ${topic}`, () => createDecoder(topic, id, file, indexes));
    last = { topic, id, path, decoder };
    return decoder;
  }

  return {
    encode(topic, { schema, value }): Buffer | null {
      if (value === null && (schema === null || schema.optional)) return null;
      if (schema === null) throw new DataError("data without a schema cannot be written as protobuf");
      if (value === null) throw new DataError(`null used for a required ${schema.type}`);
      const { write, frame } = outletFor(topic, schema);
      return encoded(out, frame, write, value);
    },
    decode(topic, payload) {
      if (payload === null) return NULL_VALUE;
      const id = idOf(payload);
      const { indexes, end } = readIndexes(payload);
      const { schema, read } = decoderFor(topic, id, indexes);
      return { schema, value: read(data.open(payload, end)) };
    },
  };
}

function encoded(out: WireWriter, frame: Uint8Array, write: Write, value: Value): Buffer {
  out.reset();
  out.raw(frame);
  write(out, value);
  return out.take();
}

function locate(file: ProtoFile, fullName: string): Located {
  const found = messageNamed(file.messages, fullName);
  if (found !== null) return found;
  throw new DataError(`the subject's latest schema has no message ${fullName}`);
}

/** Protobuf with a schema registry. Source: io.confluent.connect.protobuf.ProtobufConverter. */
export const protobufConverter = defineConverter({
  name: "protobuf",
  version: "1.0.0",
  aliases: ["io.confluent.connect.protobuf.ProtobufConverter"],
  config: CONFIG,
  compile: (settings, isKey) => compileProtobuf(settings, isKey, createRegistryClient({ settings })),
});
