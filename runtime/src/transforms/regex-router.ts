import { defineTransform, config as key, parseReplacement } from "@headrace/sdk";
import { z } from "zod";

const CONFIG = z.object({
  regex: key
    .pattern()
    .describe("Regular expression that the whole topic name must match.")
    .meta({ importance: "HIGH" }),
  replacement: key.text().describe("The new topic name; $1 is the first group.").meta({ importance: "HIGH" }),
});

/** Renames the topic. Source: org.apache.kafka.connect.transforms.RegexRouter. */
export const regexRouter = defineTransform({
  name: "regex-router",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.transforms.RegexRouter"],
  config: CONFIG,
  compile(config) {
    const replace = parseReplacement(config.replacement, config.regex);
    const known = new Map<string, string>();
    return (record) => {
      let topic = known.get(record.topic);
      if (topic === undefined) {
        const match = config.regex.exec(record.topic);
        topic = match === null ? record.topic : replace(match);
        known.set(record.topic, topic);
      }
      return topic === record.topic ? record : { ...record, topic };
    };
  },
});
