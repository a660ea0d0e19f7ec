import { defineTransform } from "@headrace/sdk";
import { z } from "zod";
import { names } from "./names.ts";

/** Removes headers by name. Source: org.apache.kafka.connect.transforms.DropHeaders. */
export const dropHeaders = defineTransform({
  name: "drop-headers",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.transforms.DropHeaders"],
  config: z.object({ headers: names().describe("Names of the headers to remove.").meta({ importance: "HIGH" }) }),
  compile(config) {
    const dropped = new Set(config.headers);
    return (record) => {
      if (!record.headers.some((header) => dropped.has(header.key))) return record;
      return { ...record, headers: record.headers.filter((header) => !dropped.has(header.key)) };
    };
  },
});
