import { DataError, javaClassOf, type Schema, type Value } from "@headrace/sdk";
import { writeAnything } from "./anything.ts";
import type { AvroSchema } from "./avro-schema.ts";
import { ByteWriter, type Write } from "./byte-writer.ts";
import { entryFields, isAnything, isMapEntry, soleMember, unionFieldName } from "./forms.ts";
import { writeMissing } from "./missing-field.ts";
import { avroName } from "./names.ts";

export { ByteWriter, type Write };

export interface WriterOptions {
  readonly enhanced: boolean;
  /** Null in an optional field that has a default is null, not its default (`ignore.default.for.nullables`). */
  readonly nullsStay: boolean;
  readonly scrub: boolean;
}

/**
 * Compiles what writes values of a Connect schema (null: schemaless) as an Avro type. Fields are matched by name, so the Avro schema may
 * be another than the one that the Connect schema would become: what it lacks is left out, what only it has is written as its default.
 * Throws DataError for schemas that do not fit. Source: Apache Avro 1.12 specification, "Binary Encoding".
 */
export function compileWriter(avro: AvroSchema, schema: Schema | null, options: WriterOptions): Write {
  if (schema === null) {
    if (isAnything(avro)) return writeAnything;
    throw new DataError("data without a schema can be written only as the Avro type of schemaless data");
  }
  return compile(avro, schema, options);
}

function compile(avro: AvroSchema, schema: Schema, options: WriterOptions): Write {
  if (avro.kind === "union") return compileUnion(avro.members, schema, options);
  const write = compileValue(avro, schema, options);
  if (write === null) throw new DataError(`a ${schema.type} of Connect does not fit the Avro type ${avro.kind}`);
  return (out, value) => {
    if (value === null) throw new DataError(`null used for a required ${schema.type}`);
    write(out, value);
  };
}

function compileUnion(members: readonly AvroSchema[], schema: Schema, options: WriterOptions): Write {
  const nullAt = members.findIndex((member) => member.kind === "null");
  if (soleMember(members) === null && isUnionStruct(schema, members, options)) {
    return compileUnionStruct(members, schema, options, nullAt);
  }
  const at = members.findIndex((member) => member.kind !== "null" && compileOrNull(member, schema, options) !== null);
  const found = members[at];
  const write = found === undefined ? null : compileValue(found, schema, options);
  if (write === null) throw new DataError(`a ${schema.type} of Connect fits no member of the Avro union`);
  return (out, value) => {
    if (value === null) {
      if (nullAt < 0) throw new DataError(`null used for a required ${schema.type}`);
      out.int(nullAt);
      return;
    }
    out.int(at);
    write(out, value);
  };
}

function isUnionStruct(schema: Schema, members: readonly AvroSchema[], options: WriterOptions): boolean {
  if (schema.type !== "STRUCT") return false;
  return (schema.fields ?? []).every((field) =>
    members.some((member) => unionFieldName(member, options.enhanced) === field.name),
  );
}

/** A struct of which one field is set. */
function compileUnionStruct(
  members: readonly AvroSchema[],
  schema: Schema,
  options: WriterOptions,
  nullAt: number,
): Write {
  const fields = (schema.fields ?? []).map((field) => {
    const at = members.findIndex((member) => unionFieldName(member, options.enhanced) === field.name);
    const member = members[at];
    if (member === undefined) throw new DataError(`the Avro union has no member ${field.name}`);
    return { name: field.name, at, write: compile(member, field.schema, options) };
  });
  return (out, value) => {
    if (value !== null) {
      const struct = fieldsOf(value, schema);
      for (const field of fields) {
        const item = fieldValue(struct, field.name);
        if (item === null) continue;
        out.int(field.at);
        field.write(out, item);
        return;
      }
    }
    if (nullAt < 0) throw new DataError("no member of a union is set");
    out.int(nullAt);
  };
}

function compileOrNull(avro: AvroSchema, schema: Schema, options: WriterOptions): Write | null {
  try {
    return compileValue(avro, schema, options);
  } catch (error) {
    if (error instanceof DataError) return null;
    throw error;
  }
}

/** What writes a value that is not null; null if the types do not fit. */
function compileValue(avro: AvroSchema, schema: Schema, options: WriterOptions): Write | null {
  const { type } = schema;
  switch (avro.kind) {
    case "boolean":
      return type !== "BOOLEAN" ? null : (out, value) => out.boolean(typed(value, schema, typeof value === "boolean"));
    case "int":
      if (type !== "INT8" && type !== "INT16" && type !== "INT32") return null;
      return (out, value) => out.int(integer(value, schema, 32 - BITS[type]));
    case "long":
      if (type === "INT64") return (out, value) => out.long(typed(value, schema, typeof value === "bigint"));
      if (type !== "INT8" && type !== "INT16" && type !== "INT32") return null;
      return (out, value) => out.long(BigInt(integer(value, schema, 32 - BITS[type])));
    case "float":
      return type !== "FLOAT32" ? null : (out, value) => out.float(typed(value, schema, typeof value === "number"));
    case "double":
      return type === "FLOAT64" || type === "FLOAT32"
        ? (out, value) => out.double(typed(value, schema, typeof value === "number"))
        : null;
    case "string":
      return type !== "STRING" ? null : (out, value) => out.string(typed(value, schema, typeof value === "string"));
    case "enum":
      return type !== "STRING" ? null : compileEnum(avro, schema);
    case "bytes":
      return type !== "BYTES" ? null : (out, value) => out.bytes(typed(value, schema, Buffer.isBuffer(value)));
    case "fixed":
      return type !== "BYTES" ? null : compileFixed(avro, schema);
    case "array":
      return type === "MAP" && isMapEntry(avro.items)
        ? compileEntries(avro.items, schema, options)
        : type === "ARRAY" && schema.valueSchema !== undefined
          ? compileArray(compile(avro.items, schema.valueSchema, options), schema)
          : null;
    case "map":
      return type !== "MAP" || schema.keySchema?.type !== "STRING" || schema.valueSchema === undefined
        ? null
        : compileMap(compile(avro.values, schema.valueSchema, options), schema);
    case "record":
      return type !== "STRUCT" ? null : compileRecord(avro, schema, options);
    case "null":
    case "union":
      return null;
    default:
      throw new Error(`unreachable: ${avro satisfies never}`);
  }
}

function compileEnum(avro: Extract<AvroSchema, { kind: "enum" }>, schema: Schema): Write {
  const places = new Map<Value, number>(avro.symbols.map((symbol, index) => [symbol, index]));
  return (out, value) => {
    const place = places.get(value);
    if (place === undefined) {
      throw new DataError(
        `${JSON.stringify(typed(value, schema, typeof value === "string"))} is no symbol of ${avro.name}`,
      );
    }
    out.int(place);
  };
}

function compileFixed(avro: Extract<AvroSchema, { kind: "fixed" }>, schema: Schema): Write {
  const decimal = avro.properties["logicalType"] === "decimal";
  return (out, value) => {
    const bytes: Buffer = typed(value, schema, Buffer.isBuffer(value));
    const missing = avro.size - bytes.length;
    if (missing < 0 || (missing > 0 && !decimal)) {
      throw new DataError(`${bytes.length} bytes do not fit ${avro.name}, which has ${avro.size}`);
    }
    // A decimal's sign fills the places before it.
    if (missing > 0) out.raw(Buffer.alloc(missing, (bytes[0] ?? 0) >= 0x80 ? 0xff : 0));
    out.raw(bytes);
  };
}

function compileArray(write: Write, schema: Schema): Write {
  return (out, value) => {
    const items: readonly Value[] = typed(value, schema, Array.isArray(value));
    if (items.length > 0) {
      out.int(items.length);
      for (let index = 0; index < items.length; index += 1) write(out, items[index] ?? null);
    }
    out.int(0);
  };
}

function compileMap(write: Write, schema: Schema): Write {
  return (out, value) => {
    const map: ReadonlyMap<Value, Value> = typed(value, schema, value instanceof Map);
    if (map.size > 0) {
      out.int(map.size);
      for (const [name, item] of map) {
        if (typeof name !== "string") throw new DataError(`a key of a map is no text but ${javaClassOf(name, null)}`);
        out.string(name);
        write(out, item);
      }
    }
    out.int(0);
  };
}

function compileEntries(items: AvroSchema, schema: Schema, options: WriterOptions): Write {
  const { keySchema, valueSchema } = schema;
  if (keySchema === undefined || valueSchema === undefined) throw new DataError("a map schema without keys or values");
  const entry = entryFields(items);
  const writeKey = compile(entry.key, keySchema, options);
  const writeItem = compile(entry.value, valueSchema, options);
  return (out, value) => {
    const map: ReadonlyMap<Value, Value> = typed(value, schema, value instanceof Map);
    if (map.size > 0) {
      out.int(map.size);
      for (const [name, item] of map) {
        writeKey(out, name);
        writeItem(out, item);
      }
    }
    out.int(0);
  };
}

function compileRecord(avro: Extract<AvroSchema, { kind: "record" }>, schema: Schema, options: WriterOptions): Write {
  const known = new Map((schema.fields ?? []).map((field) => [avroName(field.name, options.scrub), field]));
  const writers = avro.fields.map((field) => {
    const source = known.get(field.name);
    if (source === undefined) {
      const missing = writeMissing(field, avro.name, options.enhanced, (type, inner) => compile(type, inner, options));
      return { name: field.name, fallback: null, write: missing };
    }
    const { schema: inner, name } = source;
    const fallback = inner.optional && options.nullsStay ? null : (inner.default ?? null);
    return { name, fallback, write: compile(field.type, inner, options) };
  });
  return (out, value) => {
    const struct = fieldsOf(value, schema);
    let index = 0;
    try {
      for (; index < writers.length; index += 1) {
        const field = writers[index];
        if (field !== undefined) field.write(out, fieldValue(struct, field.name) ?? field.fallback);
      }
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      throw new DataError(`field ${writers[index]?.name}: ${error.message}`);
    }
  };
}

type Struct = Readonly<Record<string, Value>>;

/** A field's value, whatever JavaScript's objects inherit. */
function fieldValue(struct: Struct, name: string): Value {
  const value = struct[name];
  if (value === undefined || typeof value === "function") return null;
  return name === "__proto__" && !Object.hasOwn(struct, name) ? null : value;
}

function fieldsOf(value: Value, schema: Schema): Struct {
  if (
    typeof value !== "object" ||
    value === null ||
    Array.isArray(value) ||
    value instanceof Map ||
    Buffer.isBuffer(value)
  ) {
    throw mismatch(value, schema);
  }
  return value as Struct;
}

/** The value, whose type the caller has looked at. */
function typed<T extends Value>(value: Value, schema: Schema, fits: boolean): T {
  if (!fits) throw mismatch(value, schema);
  return value as T;
}

const BITS = { INT8: 8, INT16: 16, INT32: 32 } as const;

/** An integer of the schema's size, which is so many bits less than 32. */
function integer(value: Value, schema: Schema, less: number): number {
  if (typeof value === "number" && (value << less) >> less === value) return value;
  throw mismatch(value, schema);
}

function mismatch(value: Value, schema: Schema): DataError {
  return new DataError(`Invalid type for ${schema.type}: ${javaClassOf(value, null)}`);
}
