import { DataError, toDouble, type Value, WholeDouble } from "@headrace/sdk";
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

/**
 * Schemaless data: a record of optional fields of which one is set (boolean, bytes, double, float, int, long, string, array, map), each
 * of them a union whose member 0 is null. Source: io.confluent.connect.avro.AvroData.ANYTHING_SCHEMA.
 */
const FIELDS = 9;
const [BOOLEAN, BYTES, DOUBLE, FLOAT, INT, LONG, STRING, ARRAY, MAP] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

/** Writes schemaless data. Integers without a schema are longs, as JSON's are. */
export function writeAnything(out: ByteWriter, value: Value): void {
  if (value === null) set(out, -1, () => {});
  else if (typeof value === "boolean") set(out, BOOLEAN, () => out.boolean(value));
  else if (typeof value === "string") set(out, STRING, () => out.string(value));
  else if (typeof value === "bigint") set(out, LONG, () => out.long(value));
  else if (typeof value === "object") writeObject(out, value);
  else if (Number.isSafeInteger(value)) set(out, LONG, () => out.long(BigInt(value)));
  else set(out, DOUBLE, () => out.double(value));
}

function writeObject(out: ByteWriter, value: Value & object): void {
  if (value instanceof WholeDouble) set(out, DOUBLE, () => out.double(value.value));
  else if (Buffer.isBuffer(value)) set(out, BYTES, () => out.bytes(value));
  else if (value instanceof Date) {
    throw new DataError("Unknown Java type for schemaless data: class java.util.Date");
  } else if (Array.isArray(value)) {
    const items: readonly Value[] = value;
    set(out, ARRAY, () => block(out, items, (item) => writeAnything(out, item)));
  } else {
    const entries: [Value, Value][] = value instanceof Map ? [...value] : Object.entries(value);
    set(out, MAP, () =>
      block(out, entries, ([name, item]) => {
        writeAnything(out, name);
        writeAnything(out, item);
      }),
    );
  }
}

function set(out: ByteWriter, field: number | undefined, write: () => void): void {
  for (let index = 0; index < FIELDS; index += 1) {
    out.int(index === field ? 1 : 0);
    if (index === field) write();
  }
}

function block<T>(out: ByteWriter, items: readonly T[], write: (item: T) => void): void {
  if (items.length > 0) {
    out.int(items.length);
    for (const item of items) write(item);
  }
  out.int(0);
}

/** Reads schemaless data; a map whose keys are all texts becomes a plain object. */
export function readAnything(data: ByteReader): Value {
  let result: Value = null;
  for (let index = 0; index < FIELDS; index += 1) {
    const member = data.int();
    if (member === 0) continue;
    if (member !== 1) throw new DataError(`the Avro data has index ${member} of a union, which has 2`);
    const value = readField(data, index);
    result ??= value;
  }
  return result;
}

function readField(data: ByteReader, field: number): Value {
  switch (field) {
    case BOOLEAN:
      return data.boolean();
    case BYTES:
      return data.bytes();
    case DOUBLE:
      return toDouble(data.double());
    case FLOAT:
      return toDouble(data.float());
    case INT:
      return data.int();
    case LONG: {
      const value = data.long();
      const small = Number(value);
      return Number.isSafeInteger(small) ? small : value;
    }
    case STRING:
      return data.string();
    case ARRAY: {
      const items: Value[] = [];
      data.blocks(() => items.push(readAnything(data)));
      return items;
    }
    default: {
      const entries: [Value, Value][] = [];
      data.blocks(() => {
        const name = readAnything(data);
        entries.push([name, readAnything(data)]);
      });
      const texts = entries.every(([name]) => typeof name === "string");
      return texts ? Object.fromEntries(entries) : new Map(entries);
    }
  }
}
