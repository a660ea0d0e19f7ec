import { defineSink, config as key, type SinkRecord, toText } from "@headrace/sdk";
import { z } from "zod";

const CONFIG = z.object({
  "log.level": key.oneOf("debug", "info", "warn", "error").default("info").describe("Level of the log lines."),
  "log.values": key.boolean().default(true).describe("Log keys and values, not only where the records lie."),
});

/** Writes each record to the worker's log. */
export const loggerSink = defineSink({
  name: "logger",
  version: "1.0.0",
  config: CONFIG,
  openTask: async (config, context) => ({
    async put(records) {
      for (const record of records) {
        context.log[config["log.level"]](describe(record, config["log.values"]), "record");
      }
    },
    close: () => {},
  }),
});

function describe(record: SinkRecord, values: boolean): object {
  const { topic, partition, offset, timestamp } = record;
  const where = { topic, partition, offset: String(offset), timestamp };
  return values ? { ...where, key: toText(record.key), value: toText(record.value) } : where;
}
