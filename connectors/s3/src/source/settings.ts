import { config } from "@headrace/sdk";
import { z } from "zod";
import { named } from "../format/names.ts";
import { CONNECTION_KEYS, connectionProblems } from "../store/connection.ts";

const FORMATS = {
  auto: "auto",
  json: "json",
  jsonformat: "json",
  csv: "csv",
  csvformat: "csv",
  text: "text",
  stringformat: "text",
  bytes: "bytes",
  bytearrayformat: "bytes",
  avro: "avro",
  avroformat: "avro",
  parquet: "parquet",
  parquetformat: "parquet",
} as const satisfies Record<string, string>;

const KEYS = {
  ...CONNECTION_KEYS,
  ...config.group("Objects", {
    "s3.prefix": config
      .text()
      .default("topics/")
      .describe("What the keys of the objects to read start with; empty: all of the bucket."),
    "format.class": named(FORMATS)
      .default("auto")
      .describe(
        "json (lines), csv, text (lines), bytes, avro or parquet; auto: by the ending of each name. .gz and .zst are always undone.",
      ),
    "s3.poll.interval.ms": config.int({ min: 1 }).default(60_000).describe("Pause between two listings, ms."),
    "behavior.on.error": config
      .anyCaseOf("fail", "log")
      .default("fail")
      .describe(
        "Of an object that cannot be read: the task fails, or the rest of it is left out with a line in the log.",
      ),
    "after.reading": config
      .anyCaseOf("keep", "delete", "move")
      .default("keep")
      .describe(
        "What becomes of an object when Kafka has all of its records. When objects are kept, each new one has to sort behind those of its directory that were there before.",
      ),
    "s3.move.prefix": config
      .text()
      .default("")
      .describe("What keys of moved objects start with, before their whole old key."),
    "csv.delimiter": z.string().length(1).default(",").describe("What stands between columns."),
    "csv.header": config
      .boolean()
      .default(true)
      .describe("Whether objects start with a line of names; otherwise columns are column1 and so on."),
    "format.bytearray.separator": z
      .string()
      .default("\\n")
      .describe("What stands between values, for bytes; \\n is a line feed; empty: an object is a value."),
  }),
  ...config.group("Records", {
    topic: config.text().default("").describe("Topic to write to; empty: that of the name that the sink has given."),
    "s3.restore.partitions": config
      .boolean()
      .default(true)
      .describe("Whether records whose topic is that of the object's name go to the partition of the name, too."),
    "format.input.envelope": config
      .boolean()
      .default(false)
      .describe(
        "Whether objects have structs of value, key, timestamp and headers, as the sink writes them with format.output.fields.",
      ),
    "record.batch.max.size": config.int({ min: 1 }).default(500).describe("Most records of one poll."),
    "task.share": config
      .text()
      .default("0/1")
      .describe("Which objects are a task's own; set by the connector for each task.")
      .meta({ importance: "LOW" }),
  }),
};

export const SOURCE_CONFIG = z.object(KEYS).superRefine((given, context) => {
  const complain = (key: string, message: string) => context.addIssue({ code: "custom", path: [key], message });
  for (const [key, message] of connectionProblems(given)) complain(key, message);
  const move = given["s3.move.prefix"];
  if (given["after.reading"] === "move" && move === "")
    complain("s3.move.prefix", "s3.move.prefix is needed with after.reading=move");
  if (given["after.reading"] === "move" && move.startsWith(given["s3.prefix"])) {
    complain("s3.move.prefix", "s3.move.prefix must not start with s3.prefix: moved objects would be read again");
  }
  if (!/^\d+\/[1-9]\d*$/.test(given["task.share"])) complain("task.share", "task.share is set by the connector");
});

export type SourceSettings = z.output<typeof SOURCE_CONFIG>;
