import { defineTransform } from "@headrace/sdk";
import { z } from "zod";

/** Drops records; meant to be used with a predicate. Source: org.apache.kafka.connect.transforms.Filter. */
export const filter = defineTransform({
  name: "filter",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.transforms.Filter"],
  config: z.object({}),
  compile: () => () => null,
});
