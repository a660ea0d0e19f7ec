import { definePredicate, config as key } from "@headrace/sdk";
import { z } from "zod";

/** Holds for topics whose whole name matches. Source: org.apache.kafka.connect.transforms.predicates.TopicNameMatches. */
export const topicNameMatches = definePredicate({
  name: "topic-name-matches",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.transforms.predicates.TopicNameMatches"],
  config: z.object({
    pattern: key
      .pattern()
      .refine((pattern) => pattern.source !== key.fullMatch("").source, "String must be non-empty")
      .describe("Regular expression for the whole topic name.")
      .meta({ importance: "MEDIUM" }),
  }),
  compile:
    ({ pattern }) =>
    (record) =>
      pattern.test(record.topic),
});
