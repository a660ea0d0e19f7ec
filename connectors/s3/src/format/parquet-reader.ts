import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { DataError, RetriableError } from "@headrace/sdk";
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";
import { S3Error } from "../store/failure.ts";
import { parquetType } from "./parquet-types.ts";
import type { ItemReader, ReadableObject } from "./source-format.ts";

/** Rows that are given at a time; a row group is in memory as a whole. */
const STEP = 1000;

const DECOMPRESSORS = {
  GZIP: (bytes: Uint8Array) => new Uint8Array(gunzipSync(bytes)),
  ZSTD: (bytes: Uint8Array) => new Uint8Array(zstdDecompressSync(bytes)),
  BROTLI: (bytes: Uint8Array) => new Uint8Array(brotliDecompressSync(bytes)),
};

/** A record per row: a struct of the columns. Row group by row group, by ranges of the object. */
export const parquetReader: ItemReader = async function* read(object) {
  const file: AsyncBuffer = {
    byteLength: object.size,
    async slice(start, end = object.size) {
      const from = start < 0 ? object.size + start : start;
      const bytes = await object.range(from, Math.min(end, object.size));
      return new Uint8Array(bytes).buffer;
    },
  };
  const metadata = await told(object, () => parquetMetadataAsync(file, { geoparquet: false }));
  const { schema, toValue } = await told(object, async () => parquetType(parquetSchema(metadata)));
  const raw = { ...metadata, schema: metadata.schema.map(rawElement) };
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await told(object, () =>
      parquetReadObjects({
        file,
        metadata: raw,
        rowStart,
        rowEnd,
        utf8: false,
        geoparquet: false,
        compressors: DECOMPRESSORS,
      }),
    );
    for (let from = 0; from < rows.length; from += STEP) {
      yield rows.slice(from, from + STEP).map((row) => ({ schema, value: toValue(row) }));
    }
    rowStart = rowEnd;
  }
};

/** Leaves as they are stored: the library's own conversions would round decimals and cut off times. Texts and groups stay. */
function rawElement(element: FileMetaData["schema"][number]): FileMetaData["schema"][number] {
  if (element.num_children !== undefined && element.num_children > 0) return element;
  if (element.converted_type === "UTF8" || element.logical_type?.type === "STRING") return element;
  const { converted_type: _, logical_type: __, ...rest } = element;
  return rest;
}

/** Failures of the library are those of the data; those of the server stay what they are. */
async function told<T>(object: ReadableObject, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    if (cause instanceof RetriableError || cause instanceof S3Error || cause instanceof DataError) throw cause;
    throw new DataError(`${object.key} cannot be read as Parquet: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}
