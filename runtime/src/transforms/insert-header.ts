import { defineTransform, config as key, parseValueText } from "@headrace/sdk";
import { z } from "zod";

const CONFIG = z.object({
  header: key.text().describe("The header's name.").meta({ importance: "HIGH" }),
  "value.literal": key
    .text()
    .describe("The header's value; its type is taken from its text, as the simple header converter does.")
    .meta({ importance: "HIGH" }),
});

/** Adds a header with a fixed value. Source: org.apache.kafka.connect.transforms.InsertHeader. */
export const insertHeader = defineTransform({
  name: "insert-header",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.transforms.InsertHeader"],
  config: CONFIG,
  compile(config) {
    const header = { key: config.header, ...parseValueText(config["value.literal"]) };
    return (record) => ({ ...record, headers: [...record.headers, header] });
  },
});
