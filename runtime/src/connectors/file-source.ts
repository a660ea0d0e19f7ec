import { type FileHandle, open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ConfigError,
  defineSource,
  config as key,
  type Logger,
  type OffsetMap,
  type SchemaAndValue,
  type SourceRecord,
  type SourceTask,
} from "@headrace/sdk";
import { z } from "zod";
import { LineCutter } from "./lines.ts";

const CONFIG = z.object({
  file: z.string().min(1).optional().describe("Source file.").meta({ importance: "HIGH" }),
  topic: key.nonEmpty().describe("The topic to publish data to.").meta({ importance: "HIGH" }),
  "batch.size": key
    .int()
    .default(2000)
    .describe("The largest number of records that one poll gives; below 1 counts as 1.")
    .meta({ importance: "LOW" }),
});
type Config = z.output<typeof CONFIG>;

/** Pause before the end of the file is looked at again. */
const GROWTH_PAUSE_MS = 100;
const MISSING_PAUSE_MS = 1_000;

/**
 * One record per line of a file, which is followed as it grows. The offset `{ position }` counts bytes and lies behind the line.
 * Source: org.apache.kafka.connect.file.FileStreamSourceConnector (contract §12.1).
 */
export const fileSource = defineSource({
  name: "file-source",
  version: "1.0.0",
  aliases: ["org.apache.kafka.connect.file.FileStreamSourceConnector"],
  config: CONFIG,
  planTasks: () => [{}],
  // As long as the file only grows.
  exactlyOnceSupport: ({ file }) => (file === undefined ? "UNSUPPORTED" : "SUPPORTED"),
  async openTask(config, context) {
    const { file } = config;
    if (file === undefined) throw new ConfigError('"file" is not set; reading standard input is not supported');
    const partition = { filename: file };
    const position = positionOf(await context.offset(partition));
    return createTask({ config, file, partition, position, log: context.log });
  },
  alterOffsets(config, offsets) {
    if (config.file === undefined) throw new ConfigError('"file" is not set, so that there are no offsets to alter');
    for (const { partition, offset } of offsets) {
      // Whatever is stored, for instance of a file that was read before, can be forgotten.
      if (offset === null) continue;
      if (typeof partition["filename"] !== "string") {
        throw new ConfigError('A partition of this connector is {"filename":"<path>"}');
      }
      positionOf(offset);
    }
    return true;
  },
});

/** Throws ConfigError for an offset that is none of ours. */
function positionOf(offset: OffsetMap | null): number {
  if (offset === null) return 0;
  const position = offset["position"];
  const bytes = typeof position === "bigint" ? Number(position) : position;
  if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) {
    throw new ConfigError(`Offset position is ${String(position)}, but must be an integer of at least 0`);
  }
  return bytes;
}

/** Its offset is made when somebody asks: of most lines nobody does. */
class Line implements SourceRecord {
  readonly topic: string;
  readonly value: SchemaAndValue;
  readonly sourcePartition: OffsetMap;
  readonly #position: number;

  constructor(topic: string, value: SchemaAndValue, sourcePartition: OffsetMap, position: number) {
    this.topic = topic;
    this.value = value;
    this.sourcePartition = sourcePartition;
    this.#position = position;
  }

  get sourceOffset(): OffsetMap {
    return { position: this.#position };
  }
}

interface TaskParts {
  readonly config: Config;
  readonly file: string;
  readonly partition: OffsetMap;
  readonly position: number;
  readonly log: Logger;
}

function createTask({ config, file, partition, position, log }: TaskParts): SourceTask {
  const limit = Math.max(1, config["batch.size"]);
  const { topic } = config;
  const cutter = new LineCutter(position, (value, end): SourceRecord => new Line(topic, value, partition, end));
  let handle: FileHandle | null = null;
  let readPosition = position;
  /** Bytes that come into the cutter's room ahead. */
  let ahead: Promise<number> | null = null;
  let warned = false;

  async function openFile(signal: AbortSignal): Promise<FileHandle | null> {
    try {
      const opened = await open(file, "r");
      log.info({ file, position: readPosition }, "file opened");
      warned = false;
      return opened;
    } catch (error) {
      if (!isMissing(error)) throw error;
      if (!warned) log.warn({ file }, "file not found, waiting for it");
      warned = true;
      await rest(MISSING_PAUSE_MS, signal);
      return null;
    }
  }

  /** Gives the cutter what comes next in the file; false: there is nothing yet. */
  async function read(from: FileHandle): Promise<boolean> {
    const room = ahead === null ? cutter.room() : cutter.roomAhead();
    const count = await (ahead ?? readInto(from, room));
    if (ahead === null) cutter.filled(count);
    else cutter.filledAhead(count);
    ahead = null;
    readPosition += count;
    // A whole read is followed by another one, which goes on while the lines are on their way to Kafka.
    if (count === room.length) {
      ahead = readInto(from, cutter.roomAhead());
      // Whoever waits for it is told.
      ahead.catch(() => {});
    }
    return count > 0;
  }

  async function readInto(from: FileHandle, room: Buffer): Promise<number> {
    return (await from.read(room, 0, room.length, readPosition)).bytesRead;
  }

  return {
    async poll(signal) {
      const records: SourceRecord[] = [];
      cutter.take(records, limit);
      const reads = records.length === 0 || (records.length < limit && ahead !== null);
      if (reads) {
        handle ??= await openFile(signal);
        if (handle === null) return [];
        const grown = await read(handle);
        cutter.take(records, limit);
        if (!grown && records.length === 0) {
          cutter.shrink();
          await rest(GROWTH_PAUSE_MS, signal);
        }
      }
      return records;
    },
    released: (records) => cutter.release(records),
    async close() {
      await handle?.close();
      handle = null;
    },
  };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** A pause that simply ends when the task is to stop. */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}
