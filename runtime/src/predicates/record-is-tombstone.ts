import { definePredicate } from "@headrace/sdk";
import { z } from "zod";

/** Holds for records whose value is null. Source: org.apache.kafka.connect.transforms.predicates.RecordIsTombstone. */
export const recordIsTombstone = definePredicate({
  name: "record-is-tombstone",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"],
  config: z.object({}),
  compile: () => (record) => record.value.value === null,
});
