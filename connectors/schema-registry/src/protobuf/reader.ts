import { DataError, type Schema, type Value } from "@headrace/sdk";
import { WRAPPED } from "./known-types.ts";
import { logicalOf } from "./logical.ts";
import { mapEntryOf, type ProtoField, type ProtoMessage } from "./proto-schema.ts";
import { enumReader, scalarReader, zeroOf } from "./scalar-reader.ts";
import { type ToConnectOptions, unionFieldName } from "./to-connect.ts";
import { WireReader } from "./wire-reader.ts";
import { DELIMITED, VARINT, type WireType } from "./wire-writer.ts";

export interface ReaderOptions extends ToConnectOptions {
  /** `generate.struct.for.nulls` */
  readonly structForNulls: boolean;
  /** `optional.for.proto2` */
  readonly optionalForProto2: boolean;
}

/** Reads a message to its end. Throws DataError. */
export type Read = (data: WireReader) => Value;

/**
 * Compiles what reads a message in the form of the Connect schema that {@link connectSchemaOf} gives for it; nothing of the data is kept.
 * Fields that the schema does not have are passed over. Source: ProtobufData.toConnectData, and the encoding's documentation.
 */
export function compileReader(message: ProtoMessage, schema: Schema, options: ReaderOptions): Read {
  if (schema.type === "STRUCT") return new Compiler(options).message(message, schema).read;
  return new Compiler(options).wrapped(message, schema).read;
}

type Struct = Record<string, Value>;

/** What reads the value of a message. */
interface MessageReader {
  readonly read: Read;
  /** The value of a message of which nothing is set. */
  readonly empty: () => Value;
  /** Reads on, into a struct that is there; null if the value is none. */
  readonly merge: ((data: WireReader, into: Struct) => void) | null;
}

/** Takes the value of a field, whose tag is read, into the struct. */
type Take = (data: WireReader, tag: number, into: Struct) => void;

class Compiler {
  readonly #options: ReaderOptions;
  /** Of messages that are structs, made once each. */
  readonly #made = new Map<ProtoMessage, MessageReader>();

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  message(message: ProtoMessage, schema: Schema): MessageReader {
    const made = this.#made.get(message) ?? this.#make(message, schema);
    this.#made.set(message, made);
    return made;
  }

  #make(message: ProtoMessage, schema: Schema): MessageReader {
    const inner = new Map((schema.fields ?? []).map((field) => [field.name, field.schema]));
    const takes = new Map<number, Take>();
    /** In the order of the schema, with null for what is not there. */
    const blank: Struct = Object.fromEntries([...inner.keys()].map((name): [string, Value] => [name, null]));
    const fresh: { readonly name: string; readonly make: () => Value }[] = [];
    const required: string[] = [];
    for (const field of message.fields) {
      if (field.oneof !== null) {
        takes.set(field.number, this.#member(message, field, inner));
        continue;
      }
      const own = schemaOf(inner, field.name);
      const { take, empty } = this.#field(field, own);
      takes.set(field.number, take);
      if (field.presence === "required") required.push(field.name);
      else if (field.presence === "repeated" || field.type.kind === "message") {
        if (empty !== null) fresh.push({ name: field.name, make: empty });
      } else if (empty !== null) blank[field.name] = empty();
    }

    const create = (): Struct => {
      const struct = { ...blank };
      for (const { name, make } of fresh) struct[name] = make();
      return struct;
    };
    const merge = (data: WireReader, into: Struct): void => {
      while (data.more) {
        const tag = data.varint();
        const take = takes.get(tag >>> 3);
        if (take === undefined) {
          checkTag(tag);
          data.skip(tag);
        } else take(data, tag, into);
      }
      for (const name of required) {
        if (into[name] === null) throw new DataError(`${message.fullName} requires ${name}, which the data lacks`);
      }
    };
    const read = (data: WireReader): Struct => {
      const struct = create();
      merge(data, struct);
      return struct;
    };
    return { read, empty: create, merge };
  }

  /** A wrapper's value. */
  wrapped(message: ProtoMessage, schema: Schema): MessageReader {
    const scalar = WRAPPED.get(message.fullName);
    if (scalar === undefined) throw new DataError(`${message.fullName} is no wrapper`);
    const [wire, read] = scalarReader(scalar, schema, "value");
    const zero = zeroOf(scalar);
    return {
      empty: () => zero,
      merge: null,
      read(data) {
        let value: Value = zero;
        while (data.more) {
          const tag = data.varint();
          if (tag === ((1 << 3) | wire)) value = read(data);
          else {
            checkTag(tag);
            data.skip(tag);
          }
        }
        return value;
      },
    };
  }

  /** How a field's value is taken, and what stands for it when it is not there: null if nothing does. */
  #field(field: ProtoField, schema: Schema): { readonly take: Take; readonly empty: (() => Value) | null } {
    const { name, type } = field;
    if (schema.type === "MAP") return { take: this.#map(field, schema), empty: () => new Map() };
    if (field.presence === "repeated") return { take: this.#repeated(field, inside(schema)), empty: () => [] };
    if (type.kind === "message") {
      const reader = this.#messageReader(type.message, schema);
      return {
        take: takeMessage(name, reader),
        empty:
          field.presence === "entry"
            ? reader.empty
            : this.#options.structForNulls
              ? this.#emptyOf(reader, schema)
              : null,
      };
    }
    const [wire, read] = this.#scalar(field, schema);
    const take: Take = (data, tag, into) => {
      if ((tag & 7) !== wire) data.skip(tag);
      else {
        const value = read(data);
        if (value !== null) into[name] = value;
      }
    };
    const says = field.presence === "optional" || (field.presence === "legacy" && this.#options.optionalForProto2);
    const absent = says && schema.optional;
    const fallback = this.#fallback(field, schema);
    return { take, empty: absent ? null : () => fallback };
  }

  /** Not every logical type has a value that stands for nothing. */
  #emptyOf(reader: MessageReader, schema: Schema): (() => Value) | null {
    return schema.type === "STRUCT" || logicalOf(schema) === null ? reader.empty : null;
  }

  #fallback(field: ProtoField, schema: Schema): Value {
    const { type, fallback } = field;
    if (type.kind === "enum") {
      const [first] = type.enum.values.keys();
      const name = typeof fallback === "string" ? fallback : (first ?? null);
      return schema.type === "STRING" || name === null ? name : (type.enum.values.get(name) ?? null);
    }
    if (type.kind !== "scalar") return null;
    if (fallback === null) return zeroOf(type.scalar);
    return schema.type === "INT64" && typeof fallback === "number" ? BigInt(fallback) : fallback;
  }

  #messageReader(message: ProtoMessage, schema: Schema): MessageReader {
    const logical = logicalOf(schema);
    if (logical !== null)
      return { read: (data) => logical.read(data), empty: () => logical.read(new WireReader()), merge: null };
    return schema.type === "STRUCT" ? this.message(message, schema) : this.wrapped(message, schema);
  }

  #scalar(field: ProtoField, schema: Schema): readonly [WireType, (data: WireReader) => Value] {
    const { type } = field;
    if (type.kind === "scalar") return scalarReader(type.scalar, schema, field.name);
    if (type.kind === "enum") return [VARINT, enumReader(type.enum, schema)];
    throw new Error(`${field.name} is a message`);
  }

  #repeated(field: ProtoField, items: Schema): Take {
    const { name, type } = field;
    if (type.kind === "message") {
      const { read } = this.#messageReader(type.message, items);
      return (data, tag, into) => {
        if ((tag & 7) !== DELIMITED) {
          data.skip(tag);
          return;
        }
        listOf(into, name).push(readPart(data, read));
      };
    }
    const [wire, read] = this.#scalar(field, items);
    return (data, tag, into) => {
      const given = tag & 7;
      const list = listOf(into, name);
      const add = () => {
        const value = read(data);
        if (value !== null) list.push(value);
      };
      if (given === wire) add();
      else if (given === DELIMITED) {
        const outer = data.enter();
        while (data.more) add();
        data.leave(outer);
      } else data.skip(tag);
    };
  }

  #map(field: ProtoField, { keySchema, valueSchema }: Schema): Take {
    const entry = mapEntryOf(field);
    if (entry === null || keySchema === undefined || valueSchema === undefined)
      throw new Error(`${field.name} is no map`);
    const key = this.#field({ ...entry.key, presence: "entry" }, keySchema);
    const item = this.#field(entry.value, valueSchema);
    return (data, tag, into) => {
      if ((tag & 7) !== DELIMITED) {
        data.skip(tag);
        return;
      }
      const found: Struct = { key: null, value: null };
      const outer = data.enter();
      while (data.more) {
        const inner = data.varint();
        if (inner >>> 3 === entry.key.number) key.take(data, inner, found);
        else if (inner >>> 3 === entry.value.number) item.take(data, inner, found);
        else {
          checkTag(inner);
          data.skip(inner);
        }
      }
      data.leave(outer);
      const map = into[field.name];
      const foundKey = found["key"] ?? key.empty?.() ?? null;
      if (map instanceof Map) map.set(foundKey, found["value"] ?? item.empty?.() ?? null);
    };
  }

  /** The member of a oneof that comes last is the one that counts. */
  #member(message: ProtoMessage, field: ProtoField, inner: ReadonlyMap<string, Schema>): Take {
    const oneof = field.oneof ?? "";
    const siblings = message.fields.filter((each) => each.oneof === oneof).map((each) => each.name);
    if (this.#options.flattenUnions) {
      const { take } = this.#field(field, schemaOf(inner, field.name));
      return (data, tag, into) => {
        take(data, tag, into);
        for (const name of siblings) if (name !== field.name && into[field.name] !== null) into[name] = null;
      };
    }
    const unionName = unionFieldName(message, oneof, this.#options);
    const union = schemaOf(inner, unionName);
    const own = union.fields?.find((each) => each.name === field.name)?.schema;
    if (own === undefined) throw new Error(`the union ${oneof} has no ${field.name}`);
    const { take } = this.#field(field, own);
    const blank: Struct = Object.fromEntries(siblings.map((name): [string, Value] => [name, null]));
    return (data, tag, into) => {
      const before = into[unionName];
      const struct: Struct = { ...blank };
      // A message that comes again is one with the former.
      if (isStruct(before) && before[field.name] !== null) struct[field.name] = before[field.name] ?? null;
      take(data, tag, struct);
      if (struct[field.name] !== null) into[unionName] = struct;
    };
  }
}

function isStruct(value: Value | undefined): value is Struct {
  return typeof value === "object" && value !== null;
}

function takeMessage(name: string, { read, merge }: MessageReader): Take {
  return (data, tag, into) => {
    if ((tag & 7) !== DELIMITED) {
      data.skip(tag);
      return;
    }
    const before = into[name];
    if (merge === null || !isStruct(before)) {
      into[name] = readPart(data, read);
      return;
    }
    const outer = data.enter();
    merge(data, before);
    data.leave(outer);
  };
}

function readPart(data: WireReader, read: Read): Value {
  const outer = data.enter();
  const value = read(data);
  data.leave(outer);
  return value;
}

function listOf(into: Struct, name: string): Value[] {
  const list = into[name];
  if (!Array.isArray(list)) throw new Error(`${name} is no list`);
  return list;
}

function checkTag(tag: number): void {
  if (tag >>> 3 === 0) throw new DataError("the protobuf data has a field without a number");
}

function schemaOf(inner: ReadonlyMap<string, Schema>, name: string): Schema {
  const schema = inner.get(name);
  if (schema === undefined) throw new Error(`the Connect schema has no field ${name}`);
  return schema;
}

function inside({ valueSchema }: Schema): Schema {
  if (valueSchema === undefined) throw new Error("an array's schema has no items");
  return valueSchema;
}
