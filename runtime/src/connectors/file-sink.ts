import { type FileHandle, open } from "node:fs/promises";
import { ConfigError, defineSink, type SinkRecord, toText, Utf8Text } from "@headrace/sdk";
import { z } from "zod";

const CONFIG = z.object({
  file: z.string().min(1).optional().describe("Destination file.").meta({ importance: "HIGH" }),
});

const LF = 10;
const NO_ROOM = Buffer.alloc(0);

/**
 * Appends each record's value, as text, and a line feed to a file. `put` returns when the operating system has the data.
 * Source: org.apache.kafka.connect.file.FileStreamSinkConnector (contract §12.1).
 */
export const fileSink = defineSink({
  name: "file-sink",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.file.FileStreamSinkConnector"],
  config: CONFIG,
  takesUtf8Text: true,
  async openTask({ file }) {
    if (file === undefined) throw new ConfigError('"file" is not set; writing to standard output is not supported');
    const handle = await open(file, "a");
    /** For lines, again and again. */
    let room = NO_ROOM;
    return {
      async put(records) {
        if (records.length === 0) {
          room = NO_ROOM;
          return;
        }
        const bytes = bytesOf(records);
        if (bytes === null) return await writeAll(handle, Buffer.from(textOf(records)));
        if (bytes > room.length) room = Buffer.allocUnsafeSlow(bytes);
        await writeAll(handle, copyLines(records, room));
      },
      flush: async () => {},
      close: () => handle.close(),
    };
  },
  // All positions are in Kafka.
  alterOffsets: () => true,
});

/** Bytes of the records' lines; null unless all are text that is bytes. */
function bytesOf(records: readonly SinkRecord[]): number | null {
  let bytes = 0;
  for (const { value } of records) {
    if (!(value instanceof Utf8Text)) return null;
    bytes += value.length + 1;
  }
  return bytes;
}

/** Copies the lines of text that is bytes into `room`; returns what they fill of it. */
function copyLines(records: readonly SinkRecord[], room: Buffer): Buffer {
  let at = 0;
  for (const { value } of records) {
    if (!(value instanceof Utf8Text)) continue;
    value.bytes.copy(room, at, value.start, value.end);
    at += value.length;
    room[at] = LF;
    at += 1;
  }
  return room.subarray(0, at);
}

function textOf(records: readonly SinkRecord[]): string {
  let lines = "";
  for (const { value } of records) lines += `${toText(value)}\n`;
  return lines;
}

/** One append may take a part only, for instance when the disk is nearly full. */
async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written);
    written += bytesWritten;
  }
}
