import { config, utcOffsetOf } from "@headrace/sdk";
import { z } from "zod";
import { AVRO_CODECS } from "../format/avro.ts";
import { COMPRESSIONS } from "../format/compression.ts";
import { OUTPUT_FIELDS } from "../format/envelope.ts";
import { named } from "../format/names.ts";
import { PARQUET_CODECS } from "../format/parquet.ts";
import { CONNECTION_KEYS, connectionProblems } from "../store/connection.ts";
import { compilePathFormat } from "./partitioner.ts";

/** The smallest part that S3 takes, and the largest. */
const MIN_PART_BYTES = 5 * 1024 * 1024;
const MAX_PART_BYTES = 1024 * 1024 * 1024;
/** Parts of one object. */
const MAX_PARTS = 10_000;

const CONFLUENT = "io.confluent.connect";

const FORMATS = {
  json: "json",
  jsonformat: "json",
  csv: "csv",
  csvformat: "csv",
  bytes: "bytes",
  bytearrayformat: "bytes",
  avro: "avro",
  avroformat: "avro",
  parquet: "parquet",
  parquetformat: "parquet",
} as const satisfies Record<string, string>;

const PARTITIONERS = {
  default: "default",
  defaultpartitioner: "default",
  field: "field",
  fieldpartitioner: "field",
  time: "time",
  timebasedpartitioner: "time",
  daily: "daily",
  dailypartitioner: "daily",
  hourly: "hourly",
  hourlypartitioner: "hourly",
} as const satisfies Record<string, string>;

const KEYS = {
  ...CONNECTION_KEYS,
  ...config.group("Objects", {
    "format.class": named(FORMATS)
      .default("json")
      .describe(`json (lines), csv, bytes, avro or parquet; the names of ${CONFLUENT}.s3.format are understood, too.`),
    "format.output.fields": config
      .listOf(...OUTPUT_FIELDS)
      .default(["value"])
      .describe(
        "What objects have of a record: the value alone, or a struct of several of value, key, topic, partition, offset, timestamp, headers.",
      ),
    "s3.compression.type": config
      .anyCaseOf(...COMPRESSIONS)
      .default("none")
      .describe("Compression of whole objects: none, gzip or zstd; for json, csv and bytes."),
    "avro.codec": config
      .anyCaseOf(...AVRO_CODECS)
      .default("null")
      .describe("Compression of Avro's blocks: null, deflate or zstandard."),
    "parquet.codec": config
      .anyCaseOf(...PARQUET_CODECS)
      .default("snappy")
      .describe("Compression of Parquet's pages: snappy, gzip, zstd or none."),
    "s3.compression.level": config
      .int({ min: -1, max: 22 })
      .default(-1)
      .describe("Its level; -1: the default of the method."),
    "csv.delimiter": z.string().length(1).default(",").describe("What stands between columns."),
    "csv.header": config.boolean().default(true).describe("Whether objects start with a line of names."),
    "format.bytearray.extension": config.nonEmpty().default(".bin").describe("What names end with, for bytes."),
    "format.bytearray.separator": z
      .string()
      .default("\\n")
      .describe("What stands behind each value, for bytes; \\n is a line feed, empty is nothing."),
    "behavior.on.null.values": config
      .anyCaseOf("fail", "ignore", "write")
      .default("fail")
      .describe("Of a record without value: it is refused, left out, or written if the format can."),
  }),
  ...config.group("Names", {
    "topics.dir": config.text().default("topics").describe("What all names start with."),
    "directory.delim": config.nonEmpty().default("/").describe("What stands between directories."),
    "file.delim": config.nonEmpty().default("+").describe("What stands between topic, partition and offset."),
    "filename.offset.zero.pad.width": config
      .int({ min: 1, max: 20 })
      .default(10)
      .describe("Digits of the offset in names."),
    "partitioner.class": named(PARTITIONERS)
      .default("default")
      .describe(
        `default (the Kafka partition), field, time, daily or hourly; the names of ${CONFLUENT}.storage.partitioner are understood, too.`,
      ),
    "partition.field.name": config
      .list()
      .default([])
      .describe("Fields of the value, for field; a.b is one inside of a."),
    "path.format": config
      .text()
      .default("")
      .describe("Directories by time, for time: 'year'=YYYY/'month'=MM/'day'=dd and so on."),
    "partition.duration.ms": config
      .long({ min: 1 })
      .optional()
      .describe("Width of such a directory, ms. For time: required."),
    timezone: config
      .nonEmpty()
      .default("UTC")
      .describe("Time zone of directories and of the schedule, for instance Europe/Berlin."),
    "timestamp.extractor": config
      .anyCaseOf("Record", "RecordField", "Wallclock")
      .default("Record")
      .describe(
        "The time of a record: its own, that of a field, or the clock's. With Wallclock, delivery is at least once.",
      ),
    "timestamp.field": config.text().default("timestamp").describe("The field, for RecordField."),
  }),
  ...config.group("Rotation", {
    "flush.size": config
      .int({ min: 1 })
      .default(100_000)
      .describe("Records after which the objects of a topic partition are completed."),
    "file.max.bytes": config
      .long({ min: 1 })
      .default(512 * 1024 * 1024)
      .describe("Bytes, before compression, after which they are completed."),
    "max.open.files.per.partition": config
      .int({ min: 1 })
      .default(100)
      .describe(
        "Open objects of a topic partition (one per directory); before one more, all are completed. Bounds the memory.",
      ),
    "rotate.interval.ms": config
      .long({ min: -1 })
      .default(-1)
      .describe(
        "Time between the first and the next record, by timestamp.extractor, after which objects are completed, ms; -1: never. Only a record makes this time pass.",
      ),
    "rotate.schedule.interval.ms": config
      .long({ min: -1 })
      .default(-1)
      .describe(
        "Objects are completed when the clock passes a multiple of this, counted from midnight, ms; -1: never. Delivery is at least once then.",
      ),
    "s3.part.size": config
      .int({ min: MIN_PART_BYTES, max: MAX_PART_BYTES })
      .default(MIN_PART_BYTES)
      .describe("Bytes of a part of a multipart upload; three of them per open object may be in memory."),
  }),
  ...config.group("Storage", {
    "storage.class": config.text().default("").describe("Storage class of objects, for instance STANDARD_IA."),
    "s3.acl.canned": config.text().default("").describe("Canned ACL of objects."),
    "s3.ssea.name": config.text().default("").describe("Encryption by the server: AES256 or aws:kms."),
    "s3.sse.kms.key.id": config.text().default("").describe("Key of the KMS."),
  }),
};

/** Where several keys have to agree. */
export const SINK_CONFIG = z.object(KEYS).superRefine((given, context) => {
  const complain = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
  for (const [key, message] of connectionProblems(given)) complain(key, message);
  const partitioner = given["partitioner.class"];
  if (partitioner === "field" && given["partition.field.name"].length === 0) {
    complain("partition.field.name", "partition.field.name is needed with partitioner.class=field");
  }
  if (partitioner === "time") {
    const format = compilePathFormat(given["path.format"]);
    if (given["path.format"] === "") complain("path.format", "path.format is needed with partitioner.class=time");
    else if ("fault" in format) complain("path.format", `path.format: ${format.fault}`);
    if (given["partition.duration.ms"] === undefined) {
      complain("partition.duration.ms", "partition.duration.ms is needed with partitioner.class=time");
    }
  }
  const format = given["format.class"];
  if ((format === "avro" || format === "parquet") && given["s3.compression.type"] !== "none") {
    complain("s3.compression.type", `${format} compresses by itself: use ${format}.codec`);
  }
  if (given["s3.compression.type"] === "gzip" && given["s3.compression.level"] > 9) {
    complain("s3.compression.level", "gzip's level is at most 9");
  }
  const leastPart = Math.ceil(given["file.max.bytes"] / MAX_PARTS);
  if (given["s3.part.size"] < leastPart) {
    complain(
      "s3.part.size",
      `s3.part.size must be at least ${leastPart}: objects of file.max.bytes have ${MAX_PARTS} parts at most`,
    );
  }
  try {
    utcOffsetOf(given["timezone"]);
  } catch {
    complain("timezone", `${given["timezone"]} is no time zone`);
  }
});

export type SinkSettings = z.output<typeof SINK_CONFIG>;
