import { type FileHandle, open } from "node:fs/promises";
import { ConfigError, defineSink, toText } from "@headrace/sdk";
import { z } from "zod";

const CONFIG = z.object({
  file: z.string().min(1).optional().describe("Destination file.").meta({ importance: "HIGH" }),
});

/**
 * Appends each record's value, as text, and a line feed to a file. `put` returns when the operating system has the data.
 * Source: org.apache.kafka.connect.file.FileStreamSinkConnector (contract §12.1).
 */
export const fileSink = defineSink({
  name: "file-sink",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.file.FileStreamSinkConnector"],
  config: CONFIG,
  async openTask({ file }) {
    if (file === undefined) throw new ConfigError('"file" is not set; writing to standard output is not supported');
    const handle = await open(file, "a");
    return {
      async put(records) {
        if (records.length === 0) return;
        let lines = "";
        for (const { value } of records) lines += `${typeof value.value === "string" ? value.value : toText(value)}\n`;
        await writeAll(handle, Buffer.from(lines));
      },
      flush: async () => {},
      close: () => handle.close(),
    };
  },
  // All positions are in Kafka.
  alterOffsets: () => true,
});

/** One append may take a part only, for instance when the disk is nearly full. */
async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written);
    written += bytesWritten;
  }
}
