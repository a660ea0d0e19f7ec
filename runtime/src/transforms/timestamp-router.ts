import { compileDateFormat, DataError, defineTransform, config as key } from "@headrace/sdk";
import { z } from "zod";

const CONFIG = z
  .object({
    "topic.format": key
      .text()
      .default("${" + "topic}-${" + "timestamp}")
      .describe("The new topic name; ${" + "topic} and ${" + "timestamp} stand for the old one and the record's time.")
      .meta({ importance: "HIGH" }),
    "timestamp.format": key
      .text()
      .default("yyyyMMdd")
      .describe("Format of the time, as of java.text.SimpleDateFormat, in UTC.")
      .meta({ importance: "HIGH" }),
  })
  .superRefine((config, context) => {
    const format = compileDateFormat(config["timestamp.format"]);
    if ("fault" in format) context.addIssue(`timestamp.format: ${format.fault}`);
  });

/** Puts the record's time into the topic's name. Source: org.apache.kafka.connect.transforms.TimestampRouter. */
export const timestampRouter = defineTransform({
  name: "timestamp-router",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.transforms.TimestampRouter"],
  config: CONFIG,
  compile(config) {
    const format = compileDateFormat(config["timestamp.format"]);
    if ("fault" in format) throw new Error(format.fault);
    return (record) => {
      if (record.timestamp === null) throw new DataError(`Timestamp missing on record: topic ${record.topic}`);
      const topic = config["topic.format"]
        .replaceAll("${" + "topic}", () => record.topic)
        .replaceAll("${" + "timestamp}", format.write(record.timestamp));
      return { ...record, topic };
    };
  },
});
