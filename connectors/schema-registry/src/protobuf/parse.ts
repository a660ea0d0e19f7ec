import { DataError, type Value } from "@headrace/sdk";
import protobuf from "protobufjs";
import type { Referenced } from "../references.ts";
import { KNOWN_FILES } from "./known-types.ts";
import { toMapEntry } from "./names.ts";
import {
  isScalar,
  type Presence,
  type ProtoEnum,
  type ProtoField,
  type ProtoFile,
  type ProtoMessage,
  type ProtoType,
  type Scalar,
} from "./proto-schema.ts";

/**
 * Parses a .proto file and what it imports: `references` by their names, otherwise the files that every registry knows. Throws DataError for
 * text that is none, imports that are not there, and groups.
 */
export function parseProtoFile(text: string, references: readonly Referenced[] = []): ProtoFile {
  try {
    const alone = protobuf.parse(text, new protobuf.Root(), { keepCase: true });
    const imports = importsOf(alone);
    const root = new protobuf.Root();
    load(root, imports, new Map(references.map(({ name, text: referenced }) => [name, referenced])));
    protobuf.parse(text, root, { keepCase: true });
    root.resolveAll();
    const translation = new Translation();
    const names = typesIn(alone.package === undefined ? alone.root : alone.root.lookup(alone.package));
    const messages = names.map((type) => translation.message(root.lookupType(type.fullName)));
    translation.finish();
    return { package: alone.package ?? "", imports, messages };
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`the protobuf schema cannot be used: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

function importsOf({ imports = [], weakImports = [] }: protobuf.IParserResult): readonly string[] {
  return [...imports, ...weakImports];
}

/** Adds what a file imports, directly or not, to the root, each file once. */
function load(root: protobuf.Root, imports: readonly string[], references: ReadonlyMap<string, string>): void {
  const loaded = new Set<string>();
  const waiting = [...imports];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (loaded.has(name)) continue;
    loaded.add(name);
    const text = references.get(name) ?? KNOWN_FILES.get(name);
    if (text === undefined) throw new DataError(`the protobuf schema imports ${name}, which it does not reference`);
    waiting.push(...importsOf(protobuf.parse(text, root, { keepCase: true })));
  }
}

/** The messages that stand directly in a file or message, in their order; groups are none. */
function typesIn(space: protobuf.ReflectionObject | null): readonly protobuf.Type[] {
  if (!(space instanceof protobuf.Namespace)) return [];
  return space.nestedArray.filter((each) => each instanceof protobuf.Type).filter((each) => !isGroup(each));
}

/** A message that is not complete yet. */
interface Growing extends ProtoMessage {
  readonly fields: ProtoField[];
  fault: string | null;
}

/** Messages and enums by the objects of the parser; a message's fields are made at the end, when all messages are there. */
class Translation {
  readonly #messages = new Map<protobuf.Type, ProtoMessage>();
  readonly #enums = new Map<protobuf.Enum, ProtoEnum>();
  readonly #unfinished: { readonly type: protobuf.Type; readonly message: Growing }[] = [];

  message(type: protobuf.Type): ProtoMessage {
    const known = this.#messages.get(type);
    if (known !== undefined) return known;
    if (isGroup(type)) throw new DataError(`${bare(type)} is a group, which has no Connect schema`);
    const fields: ProtoField[] = [];
    const oneofs = type.oneofsArray.filter((each) => !isSynthetic(each)).map((each) => each.name);
    const messages: ProtoMessage[] = [];
    const enums = type.nestedArray.filter((each) => each instanceof protobuf.Enum).map((each) => this.#enum(each));
    const message: Growing = { fullName: bare(type), fields, oneofs, messages, enums, fault: null };
    this.#messages.set(type, message);
    this.#unfinished.push({ type, message });
    messages.push(...typesIn(type).map((each) => this.message(each)));
    return message;
  }

  finish(): void {
    for (let next = this.#unfinished.pop(); next !== undefined; next = this.#unfinished.pop()) {
      const { type, message } = next;
      const own = type.fieldsArray.filter((field) => field.declaringField === null || !field.name.startsWith("."));
      try {
        message.fields.push(...own.map((field) => this.#field(field, bare(type))));
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        message.fault = error.message; // Told to those that use it.
      }
    }
  }

  #enum(given: protobuf.Enum): ProtoEnum {
    const known = this.#enums.get(given);
    if (known !== undefined) return known;
    const made = { fullName: bare(given), values: new Map(Object.entries(given.values)), closed: isClosed(given) };
    this.#enums.set(given, made);
    return made;
  }

  #field(field: protobuf.Field, owner: string): ProtoField {
    const { name, id: number } = field;
    const oneof = field.partOf !== null && !isSynthetic(field.partOf) ? field.partOf.name : null;
    const item = this.#type(field.type, field.resolvedType);
    if (field.delimited && !field.map) {
      throw new DataError(`${owner}.${name} is delimited as a group is, which has no Connect schema`);
    }
    const type: ProtoType =
      field instanceof protobuf.MapField ? { kind: "message", message: entryOf(field, item, owner) } : item;
    const presence = presenceOf(field, type, oneof);
    return {
      name,
      number,
      type,
      presence,
      oneof,
      packed: field.packed && isPackable(type),
      fallback: fallbackOf(field, type),
      params: paramsOf(field),
    };
  }

  #type(name: string, resolved: protobuf.ReflectionObject | null): ProtoType {
    if (isScalar(name)) return { kind: "scalar", scalar: name };
    if (resolved instanceof protobuf.Type) return { kind: "message", message: this.message(resolved) };
    if (resolved instanceof protobuf.Enum) return { kind: "enum", enum: this.#enum(resolved) };
    throw new DataError(`the protobuf schema refers to ${name}, which it does not define`);
  }
}

/** A full name without the dot in front. */
function bare(object: protobuf.ReflectionObject): string {
  return object.fullName.replace(/^\./, "");
}

/** The oneof around a field that is marked `optional` in proto3. */
function isSynthetic(oneof: protobuf.OneOf): boolean {
  const [only, more] = oneof.fieldsArray;
  return more === undefined && only?.getOption("proto3_optional") === true;
}

/** The parser does not tell it in its types, nor the next one. */
function isGroup(type: protobuf.Type): boolean {
  return Reflect.get(type, "group") === true;
}

function isClosed(given: protobuf.Enum): boolean {
  const features: unknown = Reflect.get(given, "_features");
  return typeof features === "object" && features !== null && Reflect.get(features, "enum_type") === "CLOSED";
}

function presenceOf(field: protobuf.Field, type: ProtoType, oneof: string | null): Presence {
  if (field.map || field.repeated) return "repeated";
  if (oneof !== null) return "member";
  if (field.required) return "required";
  if (field.getOption("proto3_optional") === true) return "optional";
  return type.kind !== "message" && field.hasPresence ? "legacy" : "implicit";
}

export function isPackable(type: ProtoType): boolean {
  return type.kind === "enum" || (type.kind === "scalar" && type.scalar !== "string" && type.scalar !== "bytes");
}

/** The message that a map's entries are on the wire. */
function entryOf(field: protobuf.MapField, value: ProtoType, owner: string): ProtoMessage {
  const plain = { presence: "entry", oneof: null, packed: false, fallback: null, params: {} } as const;
  if (!isScalar(field.keyType)) throw new DataError(`${field.keyType} is no type of a map's keys`);
  return {
    fullName: `${owner}.${toMapEntry(field.name)}`,
    fields: [
      { ...plain, name: "key", number: 1, type: { kind: "scalar", scalar: field.keyType } },
      { ...plain, name: "value", number: 2, type: value },
    ],
    oneofs: [],
    messages: [],
    enums: [],
    fault: null,
  };
}

function fallbackOf(field: protobuf.Field, type: ProtoType): Value {
  const given: unknown = field.options?.["default"];
  if (given === undefined || field.repeated) return null;
  if (type.kind === "enum") return typeof given === "string" ? given : null;
  return type.kind === "scalar" ? scalarFallback(type.scalar, given, field.name) : null;
}

function scalarFallback(scalar: Scalar, given: unknown, name: string): Value {
  switch (scalar) {
    case "bool":
      return given === true;
    case "string":
      return String(given);
    case "bytes":
      return Buffer.from(String(given), "latin1");
    case "double":
      return Number(given);
    case "float":
      return Math.fround(Number(given));
    case "int32":
    case "sint32":
    case "sfixed32":
      return Number(given);
    default:
      // The parser reads numbers as doubles.
      if (typeof given === "number" && Number.isSafeInteger(given)) return BigInt(given);
      throw new DataError(`the default of ${name} is beyond 2^53`);
  }
}

const FIELD_META = /^\(\.?(?:confluent\.)?field_meta\)$/;

function paramsOf(field: protobuf.Field): Record<string, string> {
  const params: Record<string, string> = {};
  for (const option of field.parsedOptions ?? []) {
    for (const [name, meta] of Object.entries(option)) {
      if (!FIELD_META.test(name) || typeof meta !== "object" || meta === null) continue;
      const entries: unknown = Reflect.get(meta, "params");
      for (const entry of Array.isArray(entries) ? entries : [entries]) {
        if (typeof entry !== "object" || entry === null) continue;
        params[String(Reflect.get(entry, "key"))] = String(Reflect.get(entry, "value"));
      }
    }
  }
  return params;
}
