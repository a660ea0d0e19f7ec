import { ConfigError, type SinkRecord, utcOffsetOf } from "@headrace/sdk";
import { avro } from "../format/avro.ts";
import { COMPRESSED_EXTENSION } from "../format/compression.ts";
import { csv } from "../format/csv.ts";
import { jsonLines } from "../format/json-lines.ts";
import { parquet } from "../format/parquet.ts";
import { raw } from "../format/raw.ts";
import type { SinkFormat } from "../format/sink-format.ts";
import type { NameSettings } from "./object-name.ts";
import {
  compilePathFormat,
  defaultPartitioner,
  fieldPartitioner,
  fieldTimestamp,
  type Partitioner,
  type TimestampExtractor,
  timePartitioner,
} from "./partitioner.ts";
import type { RotationLimits } from "./rotation.ts";
import type { SinkSettings } from "./settings.ts";

const DAY_MS = 86_400_000;
const DAILY = "'year'=YYYY/'month'=MM/'day'=dd";

export function createFormat(settings: SinkSettings): SinkFormat {
  const format = settings["format.class"];
  switch (format) {
    case "json":
      return jsonLines();
    case "csv":
      return csv({ delimiter: settings["csv.delimiter"], header: settings["csv.header"] });
    case "bytes":
      return raw({
        extension: settings["format.bytearray.extension"],
        separator: settings["format.bytearray.separator"].replaceAll("\\n", "\n").replaceAll("\\r", "\r"),
      });
    case "avro":
      return avro(settings["avro.codec"]);
    case "parquet":
      return parquet(settings["parquet.codec"]);
    default:
      throw new Error(`unreachable: ${format satisfies never}`);
  }
}

export function createPartitioner(settings: SinkSettings): Partitioner {
  const delimiter = settings["directory.delim"];
  const utcOffset = utcOffsetOf(settings["timezone"]);
  const byTime = (pattern: string, durationMs: number) => {
    const format = compilePathFormat(pattern);
    if ("fault" in format) throw new ConfigError(`path.format: ${format.fault}`);
    return timePartitioner({ write: format.write, durationMs, utcOffset });
  };
  const partitioner = settings["partitioner.class"];
  switch (partitioner) {
    case "default":
      return defaultPartitioner();
    case "field":
      return fieldPartitioner(settings["partition.field.name"], delimiter);
    case "time":
      return byTime(settings["path.format"], settings["partition.duration.ms"] ?? DAY_MS);
    case "daily":
      return byTime(DAILY.replaceAll("/", delimiter), DAY_MS);
    case "hourly":
      return byTime(`${DAILY}/'hour'=HH`.replaceAll("/", delimiter), DAY_MS / 24);
    default:
      throw new Error(`unreachable: ${partitioner satisfies never}`);
  }
}

export function createTimestamps(settings: SinkSettings, now: () => number): TimestampExtractor {
  const extractor = settings["timestamp.extractor"];
  switch (extractor) {
    case "Record":
      return (record: SinkRecord) => record.timestamp;
    case "RecordField":
      return fieldTimestamp(settings["timestamp.field"]);
    case "Wallclock":
      return now;
    default:
      throw new Error(`unreachable: ${extractor satisfies never}`);
  }
}

export function toLimits(settings: SinkSettings): RotationLimits {
  const positive = (ms: number) => (ms > 0 ? ms : null);
  const intervalMs = positive(settings["rotate.schedule.interval.ms"]);
  return {
    maxRecords: settings["flush.size"],
    maxBytes: settings["file.max.bytes"],
    maxObjects: settings["max.open.files.per.partition"],
    recordTimeMs: positive(settings["rotate.interval.ms"]),
    schedule: intervalMs === null ? null : { intervalMs, utcOffsetMs: utcOffsetOf(settings["timezone"]) },
  };
}

export function toNames(settings: SinkSettings, format: SinkFormat): NameSettings {
  return {
    topicsDir: settings["topics.dir"],
    directoryDelimiter: settings["directory.delim"],
    fileDelimiter: settings["file.delim"],
    offsetWidth: settings["filename.offset.zero.pad.width"],
    extension: `${format.extension}${COMPRESSED_EXTENSION[settings["s3.compression.type"]]}`,
  };
}

/** Headers of the request that makes an object. */
export function toHeaders(settings: SinkSettings, format: SinkFormat): Readonly<Record<string, string>> {
  const optional = {
    "x-amz-storage-class": settings["storage.class"],
    "x-amz-acl": settings["s3.acl.canned"],
    "x-amz-server-side-encryption": settings["s3.ssea.name"],
    "x-amz-server-side-encryption-aws-kms-key-id": settings["s3.sse.kms.key.id"],
  };
  return {
    "content-type": settings["s3.compression.type"] === "none" ? format.contentType : "application/octet-stream",
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== "")),
  };
}
