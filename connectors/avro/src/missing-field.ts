import { DataError, type Schema } from "@headrace/sdk";
import type { AvroField, AvroSchema } from "./avro-schema.ts";
import { ByteWriter, type Write } from "./byte-writer.ts";
import { defaultOf } from "./default-from-avro.ts";
import { connectSchemaOf } from "./to-connect.ts";

/**
 * What writes a field that only the Avro schema has: its default, encoded once. `compile` is for values of a Connect schema. Throws
 * DataError if the field has none.
 */
export function writeMissing(
  field: AvroField,
  record: string,
  enhanced: boolean,
  compile: (avro: AvroSchema, schema: Schema) => Write,
): Write {
  const { type, default: fallback } = field;
  const nullAt = type.kind === "union" ? type.members.findIndex((member) => member.kind === "null") : -1;
  if (fallback === null && nullAt >= 0) return (out) => out.int(nullAt);
  const schema = fallback === undefined ? null : connectSchemaOf(type, { enhanced, metaData: false, version: null });
  if (fallback === undefined || schema === null) {
    throw new DataError(
      `the Avro record ${record} has the field ${field.name}, which the data lacks and which has no default`,
    );
  }
  const out = new ByteWriter();
  compile(type, schema)(out, defaultOf(schema, type, fallback));
  const bytes = out.take();
  return (target) => target.raw(bytes);
}
