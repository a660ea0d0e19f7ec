import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { config, defineSink, RetriableError, type SinkRecord } from "@headrace/sdk";
import { z } from "zod";

/**
 * One file per record, named by where the record lies in Kafka: a record that is delivered again replaces itself. A file is there as a
 * whole or not at all.
 */
export const spoolSink = defineSink({
  name: "spool-sink",
  version: "1.0.0",
  config: z.object({ directory: config.nonEmpty().describe("Directory to write to.") }),
  openTask: async ({ directory }, context) => ({
    async put(records) {
      for (const record of records) {
        const text = toJson(record);
        if (text !== null) {
          await write(directory, nameOf(record), text);
          continue;
        }
        const error = new Error(`the value at offset ${record.offset} cannot be written as JSON`);
        if (context.errantRecords === null) throw error;
        await context.errantRecords.report(record, error);
      }
    },
    close() {},
  }),
  alterOffsets: () => true,
});

function nameOf({ original: { topic, partition, offset } }: SinkRecord): string {
  return `${topic}-${partition}-${String(offset).padStart(20, "0")}.json`;
}

function toJson({ value }: SinkRecord): string | null {
  try {
    return JSON.stringify(value.value);
  } catch {
    return null; // For instance a 64-bit integer.
  }
}

async function write(directory: string, name: string, text: string): Promise<void> {
  try {
    await writeFile(join(directory, `${name}.part`), text, { flush: true });
    await rename(join(directory, `${name}.part`), join(directory, name));
  } catch (cause) {
    throw new RetriableError(`${join(directory, name)} cannot be written`, { cause });
  }
}
