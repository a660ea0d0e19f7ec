import { avroReader } from "../format/avro-reader.ts";
import { csvReader } from "../format/csv-reader.ts";
import { bytesReader, jsonReader, textReader } from "../format/line-reader.ts";
import { parquetReader } from "../format/parquet-reader.ts";
import type { ItemReader } from "../format/source-format.ts";
import type { SourceSettings } from "./settings.ts";

/** Formats by the ending of a name. */
const BY_EXTENSION = {
  ".json": "json",
  ".jsonl": "json",
  ".ndjson": "json",
  ".csv": "csv",
  ".txt": "text",
  ".log": "text",
  ".bin": "bytes",
  ".avro": "avro",
  ".parquet": "parquet",
} as const;

/** The reader of objects whose names end so; null: that cannot be told. */
export function readerOf(settings: SourceSettings, extension: string): ItemReader | null {
  const chosen = settings["format.class"];
  const format = chosen === "auto" ? new Map(Object.entries(BY_EXTENSION)).get(extension) : chosen;
  switch (format) {
    case undefined:
      return null;
    case "json":
      return jsonReader;
    case "csv":
      return csvReader({ delimiter: settings["csv.delimiter"], header: settings["csv.header"] });
    case "text":
      return textReader;
    case "bytes":
      return bytesReader(
        Buffer.from(settings["format.bytearray.separator"].replaceAll("\\n", "\n").replaceAll("\\r", "\r")),
      );
    case "avro":
      return avroReader;
    case "parquet":
      return parquetReader;
    default:
      throw new Error(`unreachable: ${format satisfies never}`);
  }
}
