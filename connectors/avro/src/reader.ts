import { DataError, type Schema, type Value } from "@headrace/sdk";
import { readAnything } from "./anything.ts";
import type { AvroSchema } from "./avro-schema.ts";
import { ByteReader } from "./byte-reader.ts";
import { entryFields, isAnything, isMapEntry, soleMember, unionFieldName } from "./forms.ts";

export { ByteReader };

/** Reads one value. Throws DataError. */
export type Read = (data: ByteReader) => Value;

/**
 * Compiles what reads values of an Avro type in the form of the Connect schema that {@link connectSchemaOf} gives for it. Nothing of the
 * data is kept: bytes are copied. Source: Apache Avro 1.12 specification, "Binary Encoding".
 */
export function compileReader(avro: AvroSchema, schema: Schema | null, enhanced: boolean): Read {
  if (schema === null) {
    if (isAnything(avro)) return readAnything;
    throw new DataError("only the Avro type of schemaless data has no Connect schema");
  }
  switch (avro.kind) {
    case "null":
      return () => null;
    case "boolean":
      return (data) => data.boolean();
    case "int":
      if (schema.type === "INT8") return (data) => (data.int() << 24) >> 24;
      if (schema.type === "INT16") return (data) => (data.int() << 16) >> 16;
      return (data) => data.int();
    case "long":
      return (data) => data.long();
    case "float":
      return (data) => data.float();
    case "double":
      return (data) => data.double();
    case "string":
      return (data) => data.string();
    case "bytes":
      return (data) => data.bytes();
    case "fixed":
      return (data) => data.fixed(avro.size);
    case "enum":
      return (data) => pick(avro.symbols, data.int(), avro.name);
    case "array":
      return isMapEntry(avro.items)
        ? compileEntries(avro.items, schema, enhanced)
        : compileArray(compileReader(avro.items, inner(schema.valueSchema), enhanced));
    case "map":
      return compileMap(compileReader(avro.values, inner(schema.valueSchema), enhanced));
    case "record":
      return compileRecord(avro, schema, enhanced);
    case "union":
      return compileUnion(avro.members, schema, enhanced);
    default:
      throw new Error(`unreachable: ${avro satisfies never}`);
  }
}

function inner(schema: Schema | undefined): Schema {
  if (schema === undefined) throw new DataError("a Connect schema has no schema for its items");
  return schema;
}

function pick<T>(list: readonly T[], index: number, where: string): T {
  const found = list[index];
  if (found === undefined)
    throw new DataError(`the Avro data has index ${index} of ${where}, which has ${list.length}`);
  return found;
}

function compileArray(read: Read): Read {
  return (data) => {
    const items: Value[] = [];
    data.blocks(() => items.push(read(data)));
    return items;
  };
}

function compileMap(read: Read): Read {
  return (data) => {
    const map = new Map<Value, Value>();
    data.blocks(() => {
      const name = data.string();
      map.set(name, read(data));
    });
    return map;
  };
}

function compileEntries(items: AvroSchema, schema: Schema, enhanced: boolean): Read {
  const { key, value } = entryFields(items);
  const readKey = compileReader(key, inner(schema.keySchema), enhanced);
  const readItem = compileReader(value, inner(schema.valueSchema), enhanced);
  return (data) => {
    const map = new Map<Value, Value>();
    data.blocks(() => {
      const name = readKey(data);
      map.set(name, readItem(data));
    });
    return map;
  };
}

function compileRecord(avro: Extract<AvroSchema, { kind: "record" }>, schema: Schema, enhanced: boolean): Read {
  const names = avro.fields.map((field) => field.name);
  const readers = avro.fields.map((field, index) =>
    compileReader(field.type, inner(schema.fields?.[index]?.schema), enhanced),
  );
  // Assigning `__proto__` would set the prototype.
  const plain = !names.includes("__proto__");
  return (data) => {
    const struct: Record<string, Value> = {};
    for (let index = 0; index < readers.length; index += 1) {
      const read = readers[index];
      const name = names[index];
      if (read === undefined || name === undefined) continue;
      if (plain) struct[name] = read(data);
      else
        Object.defineProperty(struct, name, {
          value: read(data),
          writable: true,
          enumerable: true,
          configurable: true,
        });
    }
    return struct;
  };
}

function compileUnion(members: readonly AvroSchema[], schema: Schema, enhanced: boolean): Read {
  const sole = soleMember(members);
  const readers = members.map((member): Read => {
    if (member.kind === "null") return () => null;
    if (sole !== null) return compileReader(member, schema, enhanced);
    const name = unionFieldName(member, enhanced);
    const field = schema.fields?.find((each) => each.name === name);
    const read = compileReader(member, inner(field?.schema), enhanced);
    const empty = Object.fromEntries((schema.fields ?? []).map((each): [string, Value] => [each.name, null]));
    return (data) => ({ ...empty, [name]: read(data) });
  });
  return (data) => pick(readers, data.int(), "a union")(data);
}
