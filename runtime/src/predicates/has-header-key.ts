import { definePredicate, config as key } from "@headrace/sdk";
import { z } from "zod";

/** Holds for records with a header of that name. Source: org.apache.kafka.connect.transforms.predicates.HasHeaderKey. */
export const hasHeaderKey = definePredicate({
  name: "has-header-key",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.transforms.predicates.HasHeaderKey"],
  config: z.object({ name: key.nonEmpty().describe("The header's name.").meta({ importance: "MEDIUM" }) }),
  compile:
    ({ name }) =>
    (record) =>
      record.headers.some((header) => header.key === name),
});
