import { defineTransform, config as key } from "@headrace/sdk";
import { z } from "zod";

const CONFIG = z.object({
  regex: key
    .pattern()
    .describe("Regular expression that the whole topic name must match.")
    .meta({ importance: "HIGH" }),
  replacement: z.string().describe("The new topic name; $1 is the first group.").meta({ importance: "HIGH" }),
});

/** Renames the topic. Source: org.apache.kafka.connect.transforms.RegexRouter. */
export const regexRouter = defineTransform({
  name: "regex-router",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.transforms.RegexRouter"],
  config: CONFIG,
  compile(config) {
    const replacement = toReplacement(config.replacement);
    const known = new Map<string, string>();
    return (record) => {
      let topic = known.get(record.topic);
      if (topic === undefined) {
        topic = record.topic.replace(config.regex, replacement);
        known.set(record.topic, topic);
      }
      return topic === record.topic ? record : { ...record, topic };
    };
  },
});

/** Java's `$1`, `${name}` and `\x` as a replacement of JavaScript. */
function toReplacement(text: string): string {
  return text.replace(/\\(.)|\$\{(\w+)\}|\$(?!\d)/gs, (_, escaped?: string, group?: string) => {
    if (group !== undefined) return `$<${group}>`;
    return escaped === undefined || escaped === "$" ? "$$" : escaped;
  });
}
