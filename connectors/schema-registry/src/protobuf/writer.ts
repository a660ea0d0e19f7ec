import { DataError, isStructLike, type Schema, type Value } from "@headrace/sdk";
import { isUnion } from "./from-connect.ts";
import { WRAPPED } from "./known-types.ts";
import { logicalOf } from "./logical.ts";
import { protoName } from "./names.ts";
import type { ProtoField, ProtoMessage } from "./proto-schema.ts";
import { enumWriter, isZeroOf, mismatch, scalarWriter, typed, type Write } from "./scalar-writer.ts";
import { DELIMITED, VARINT, type WireType, type WireWriter } from "./wire-writer.ts";

export interface WriterOptions {
  readonly scrub: boolean;
  /** Null in an optional field that has a default is null, not its default (`ignore.default.for.nullables`). */
  readonly nullsStay: boolean;
  /** Fields that the message does not have are left out; otherwise they are an error. */
  readonly lenient: boolean;
}

export type { Write };

/**
 * Compiles what writes values of a Connect schema as a message, fields matched by name and written in the order of their numbers, as Java
 * does. Throws DataError for schemas that do not fit. Source: ProtobufData.fromConnectData, and the encoding's documentation.
 */
export function compileWriter(message: ProtoMessage, schema: Schema, options: WriterOptions): Write {
  if (schema.type === "STRUCT") return new Compiler(options).message(message, schema);
  const [field] = message.fields;
  if (field === undefined || !WRAPPED.has(message.fullName)) {
    throw new DataError(`${message.fullName} is no wrapper, so no ${schema.type} can be written as it`);
  }
  return new Compiler(options).field(field, schema);
}

type Struct = Readonly<Record<string, Value>>;

interface FieldWriter {
  readonly name: string;
  readonly number: number;
  write(out: WireWriter, struct: Struct): void;
}

class Compiler {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  message(message: ProtoMessage, schema: Schema): Write {
    if (message.fault !== null) throw new DataError(message.fault);
    const named = new Map(message.fields.map((field) => [field.name, field]));
    const fields = (schema.fields ?? []).flatMap(({ name, schema: inner }): readonly FieldWriter[] => {
      if (isUnion(inner)) return this.#union(named, message, name, inner);
      const field = this.#find(named, message, name);
      if (field === null) return [];
      const write = this.field(field, inner);
      const fallback = inner.optional && this.#options.nullsStay ? null : (inner.default ?? null);
      const { optional } = inner;
      return [
        {
          name,
          number: field.number,
          write(out, struct) {
            const value = fieldValue(struct, name) ?? fallback;
            if (value !== null) write(out, value);
            else if (!optional || field.presence === "required") {
              throw new DataError(`null used for a required ${inner.type}`);
            }
          },
        },
      ];
    });
    const missing = message.fields.find(
      (field) => field.presence === "required" && !fields.some(({ number }) => number === field.number),
    );
    if (missing !== undefined)
      throw new DataError(`${message.fullName} requires ${missing.name}, which the data lacks`);
    const sorted = fields.toSorted((left, right) => left.number - right.number);
    return (out, value) => {
      const struct = structOf(value, schema);
      let index = 0;
      try {
        for (; index < sorted.length; index += 1) sorted[index]?.write(out, struct);
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        throw new DataError(`field ${sorted[index]?.name}: ${error.message}`);
      }
    };
  }

  /** Of the members of a oneof the first that is set is written. */
  #union(
    named: ReadonlyMap<string, ProtoField>,
    message: ProtoMessage,
    name: string,
    union: Schema,
  ): readonly FieldWriter[] {
    const members = (union.fields ?? []).map((member) => member.name);
    const chosen = (struct: Struct): { readonly member: string; readonly value: Value } | null => {
      const value = fieldValue(struct, name);
      if (value === null) return null;
      const set = structOf(value, union);
      for (const member of members) {
        const item = fieldValue(set, member);
        if (item !== null) return { member, value: item };
      }
      throw new DataError("no member of the union is set");
    };
    return (union.fields ?? []).flatMap((member): readonly FieldWriter[] => {
      const field = this.#find(named, message, member.name);
      if (field === null) return [];
      const write = this.field(field, member.schema);
      return [
        {
          name,
          number: field.number,
          write(out, struct) {
            const found = chosen(struct);
            if (found?.member === member.name) write(out, found.value);
          },
        },
      ];
    });
  }

  #find(named: ReadonlyMap<string, ProtoField>, message: ProtoMessage, name: string): ProtoField | null {
    const field = named.get(protoName(name, this.#options.scrub));
    if (field !== undefined) return field;
    if (this.#options.lenient) return null;
    throw new DataError(`${message.fullName} has no field ${name}; two schemas may have the same name`);
  }

  /** Writes a field whose value is not null, with its tag. */
  field(field: ProtoField, schema: Schema): Write {
    if (field.presence !== "repeated") return this.#single(field, schema);
    if (schema.type === "MAP") return this.#map(field, schema);
    if (schema.type !== "ARRAY") throw unfit(field, schema);
    const { valueSchema } = schema;
    if (valueSchema === undefined) throw new DataError("an array schema without items");
    if (field.packed) {
      const [, write] = this.#value(field, valueSchema);
      return (out, value) => {
        const items = itemsOf(value, schema);
        if (items.length === 0) return;
        tag(out, field.number, DELIMITED);
        const start = out.open();
        for (const item of items) write(out, present(item));
        out.close(start);
      };
    }
    const write = this.#single({ ...field, presence: "member" }, valueSchema);
    return (out, value) => {
      for (const item of itemsOf(value, schema)) write(out, present(item));
    };
  }

  #map(field: ProtoField, schema: Schema): Write {
    const { keySchema, valueSchema } = schema;
    if (keySchema === undefined || valueSchema === undefined)
      throw new DataError("a map schema without keys or values");
    if (field.type.kind !== "message") throw unfit(field, schema);
    const { message } = field.type;
    const key = message.fields.find(({ name }) => name === "key");
    const item = message.fields.find(({ name }) => name === "value");
    if (key === undefined || item === undefined || key.type.kind === "message") throw unfit(field, schema);
    const writeKey = this.field(key, keySchema);
    const writeItem = this.field(item, valueSchema);
    return (out, value) => {
      if (!(value instanceof Map)) throw mismatch(value, schema);
      for (const [name, each] of value) {
        tag(out, field.number, DELIMITED);
        const start = out.open();
        writeKey(out, present(name));
        if (each !== null) writeItem(out, each);
        else if (!valueSchema.optional) throw new DataError("null used for a required value of a map");
        out.close(start);
      }
    };
  }

  #single(field: ProtoField, schema: Schema): Write {
    const [wire, write] = this.#value(field, schema);
    const { number } = field;
    if (field.presence !== "implicit" || field.type.kind === "message") {
      return (out, value) => {
        tag(out, number, wire);
        write(out, value);
      };
    }
    const isZero = isZeroOf(field);
    return (out, value) => {
      if (isZero(value)) return;
      tag(out, number, wire);
      write(out, value);
    };
  }

  /** Writes a value without its tag. */
  #value(field: ProtoField, schema: Schema): readonly [WireType, Write] {
    const { type } = field;
    switch (type.kind) {
      case "scalar":
        return scalarWriter(type.scalar, schema) ?? fail(field, schema);
      case "enum":
        return [VARINT, enumWriter(type.enum, schema) ?? fail(field, schema)];
      case "message":
        return [DELIMITED, this.#delimited(field, type.message, schema)];
      default:
        throw new Error(`unreachable: ${type satisfies never}`);
    }
  }

  #delimited(field: ProtoField, message: ProtoMessage, schema: Schema): Write {
    const write = this.#inner(message, schema) ?? fail(field, schema);
    return (out, value) => {
      const start = out.open();
      write(out, value);
      out.close(start);
    };
  }

  /** Writes what is in a message; null if the schema does not fit it. */
  #inner(message: ProtoMessage, schema: Schema): Write | null {
    const logical = logicalOf(schema);
    if (logical !== null) return logical.message === message.fullName ? logical.write : null;
    if (schema.type === "STRUCT") return this.message(message, schema);
    const [field] = message.fields;
    return field !== undefined && WRAPPED.has(message.fullName) ? this.field(field, schema) : null;
  }
}

function tag(out: WireWriter, number: number, wire: WireType): void {
  out.varint(((number << 3) | wire) >>> 0);
}

function present(item: Value | undefined): Value {
  if (item !== null && item !== undefined) return item;
  throw new DataError("a null in an array, or as a map's key, has no protobuf form");
}

function itemsOf(value: Value, schema: Schema): readonly Value[] {
  return typed(value, schema, Array.isArray(value));
}

/** A field's value, whatever JavaScript's objects inherit. */
function fieldValue(struct: Struct, name: string): Value {
  const value = struct[name];
  if (value === undefined || typeof value === "function") return null;
  return name === "__proto__" && !Object.hasOwn(struct, name) ? null : value;
}

function structOf(value: Value, schema: Schema): Struct {
  if (!isStructLike(value)) throw mismatch(value, schema);
  return value;
}

function unfit(field: ProtoField, schema: Schema): DataError {
  const { type } = field;
  const name = type.kind === "scalar" ? type.scalar : type.kind === "enum" ? type.enum.fullName : type.message.fullName;
  return new DataError(`a ${schema.type} of Connect does not fit ${field.name}, which is ${name}`);
}

function fail(field: ProtoField, schema: Schema): never {
  throw unfit(field, schema);
}
