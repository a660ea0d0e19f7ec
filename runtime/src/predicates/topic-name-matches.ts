import { ConfigError, definePredicate, config as key } from "@headrace/sdk";
import { z } from "zod";

/** Holds for topics whose whole name matches. Source: org.apache.kafka.connect.transforms.predicates.TopicNameMatches. */
export const topicNameMatches = definePredicate({
  name: "topic-name-matches",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.transforms.predicates.TopicNameMatches"],
  config: z.object({
    pattern: key.nonEmpty().describe("Regular expression for the whole topic name.").meta({ importance: "MEDIUM" }),
  }),
  compile({ pattern }) {
    const compiled = compilePattern(pattern);
    return (record) => compiled.test(record.topic);
  },
});

function compilePattern(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, "s");
  } catch (cause) {
    throw new ConfigError(
      `Invalid value ${pattern} for configuration pattern: entry must be a Java-compatible regular expression`,
      {
        cause,
      },
    );
  }
}
