import { gzipSync, zstdCompressSync } from "node:zlib";
import { checkValue, DataError, DECIMAL_NAME, type Schema, toUnscaled, type Value, WholeDouble } from "@headrace/sdk";
import type { SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { memberOf } from "./fields.ts";
import { createBySchema } from "./layouts.ts";
import { parquetElements } from "./parquet-schema.ts";
import type { Layout, ObjectWriter, SinkFormat } from "./sink-format.ts";

export const PARQUET_CODECS = ["snappy", "gzip", "zstd", "none"] as const;
export type ParquetCodec = (typeof PARQUET_CODECS)[number];

/** A row group ends with so many rows, or bytes before compression: they are in memory until then. */
const GROUP_ROWS = 50_000;
const GROUP_BYTES = 16 * 1024 * 1024;

const CODECS = { snappy: "SNAPPY", gzip: "GZIP", zstd: "ZSTD", none: "UNCOMPRESSED" } as const;
const COMPRESSORS = {
  GZIP: (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes)),
  ZSTD: (bytes: Uint8Array) => new Uint8Array(zstdCompressSync(bytes)),
};

/** Structs with a schema, a column per field; structs, lists and maps inside of them as Parquet nests them. */
export function parquet(codec: ParquetCodec): SinkFormat {
  const layoutOf = createBySchema((schema) => ({ layout: parquetLayout(schema, codec), toCell: compileCell(schema) }));
  return {
    extension: codec === "none" ? ".parquet" : `.${codec === "gzip" ? "gz" : codec}.parquet`,
    contentType: "application/vnd.apache.parquet",
    toRow({ schema, value }) {
      if (schema === null) throw new DataError("Parquet needs a schema: use a converter that has one");
      const { layout, toCell } = layoutOf(schema);
      checkValue(schema, value);
      return { layout, size: sizeOf(value), content: toCell(value) };
    },
  };
}

function parquetLayout(schema: Schema, codec: ParquetCodec): Layout {
  const elements = [...parquetElements(schema)];
  return {
    open: () =>
      parquetObject(
        elements,
        (schema.fields ?? []).map((field) => field.name),
        codec,
      ),
  };
}

function parquetObject(schema: SchemaElement[], names: readonly string[], codec: ParquetCodec): ObjectWriter {
  const writer = new ByteWriter();
  const file = new ParquetWriter({
    writer,
    schema,
    codec: CODECS[codec],
    compressors: COMPRESSORS,
    createdBy: "headrace",
  });
  let rows: Value[] = [];
  let bytes = 0;

  function endGroup(): void {
    if (rows.length === 0) return;
    // The writer keeps bytes in memory: what is not awaited is done.
    void file.write({
      columnData: names.map((name) => ({ name, data: rows.map((row) => memberOf(row, name)) })),
      rowGroupSize: rows.length,
    });
    rows = [];
    bytes = 0;
  }
  function take(): Uint8Array | null {
    if (writer.index === 0) return null;
    const taken = Buffer.from(writer.getBytes());
    writer.index = 0;
    return taken;
  }
  return {
    add(content) {
      rows.push(content);
      bytes += sizeOf(content);
      if (rows.length < GROUP_ROWS && bytes < GROUP_BYTES) return null;
      endGroup();
      return take();
    },
    end() {
      endGroup();
      void file.finish();
      return take();
    },
  };
}

/** Decimals as the integers that the writer takes; all else is as it is. Compiled once per schema. */
function compileCell(schema: Schema): (value: Value) => Value {
  if (!hasDecimals(schema)) return (value) => value;
  const inner = compileNonNull(schema);
  return (value) => (value === null ? null : inner(value));
}

function compileNonNull(schema: Schema): (value: NonNullable<Value>) => Value {
  if (schema.name === DECIMAL_NAME) return (value) => (Buffer.isBuffer(value) ? toUnscaled(value) : value);
  switch (schema.type) {
    case "STRUCT": {
      const fields = (schema.fields ?? []).map((field) => ({ name: field.name, convert: compileCell(field.schema) }));
      return (value) => Object.fromEntries(fields.map(({ name, convert }) => [name, convert(memberOf(value, name))]));
    }
    case "ARRAY": {
      const convert = schema.valueSchema === undefined ? same : compileCell(schema.valueSchema);
      return (value) => (Array.isArray(value) ? value.map((item: Value) => convert(item)) : value);
    }
    case "MAP": {
      const convertKey = schema.keySchema === undefined ? same : compileCell(schema.keySchema);
      const convert = schema.valueSchema === undefined ? same : compileCell(schema.valueSchema);
      return (value) =>
        value instanceof Map ? new Map([...value].map(([key, item]) => [convertKey(key), convert(item)])) : value;
    }
    default:
      return same;
  }
}

const same = (value: Value): Value => value;

function hasDecimals(schema: Schema): boolean {
  if (schema.name === DECIMAL_NAME) return true;
  const inner = [schema.keySchema, schema.valueSchema, ...(schema.fields ?? []).map((field) => field.schema)];
  return inner.some((each) => each !== undefined && hasDecimals(each));
}

/** About the bytes of a value before encoding and compression; the same for the same value. */
function sizeOf(value: Value): number {
  if (value === null || typeof value === "boolean") return 1;
  if (typeof value === "number" || typeof value === "bigint" || value instanceof Date || value instanceof WholeDouble)
    return 8;
  if (typeof value === "string" || Buffer.isBuffer(value)) return 4 + value.length;
  let size = 0;
  if (value instanceof Map) for (const [key, item] of value) size += sizeOf(key) + sizeOf(item);
  else for (const item of Object.values(value)) size += sizeOf(item);
  return size;
}
