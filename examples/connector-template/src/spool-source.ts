import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ConfigError,
  config,
  DataError,
  defineSource,
  type OffsetMap,
  RetriableError,
  type SourceRecord,
} from "@headrace/sdk";
import { z } from "zod";

/** Pause before the directory is looked at again. */
const PAUSE_MS = 100;

/**
 * One record per `*.json` file of a directory, in the order of their names. Files appear whole (write elsewhere, then rename), never change
 * and sort behind those that are there. The offset `{ file }` is the name of the last file that was read.
 */
export const spoolSource = defineSource({
  name: "spool-source",
  version: "1.0.0",
  config: z.object({
    directory: config.nonEmpty().describe("Directory with the files."),
    topic: config.nonEmpty().describe("Topic to write to."),
    "batch.size": config.int({ min: 1 }).default(100).describe("Most records of one poll.").meta({ importance: "LOW" }),
  }),
  planTasks: () => [{}],
  // The same files give the same records and offsets, however often they are read.
  exactlyOnceSupport: () => "SUPPORTED",

  async openTask({ directory, topic, "batch.size": limit }, context) {
    const partition = { directory };
    let last = fileOf(await context.offset(partition));

    async function read(name: string): Promise<SourceRecord> {
      const text = await readFile(join(directory, name), "utf8");
      try {
        const value = { schema: null, value: JSON.parse(text) };
        return { topic, value, sourcePartition: partition, sourceOffset: { file: name } };
      } catch (cause) {
        throw new DataError(`${join(directory, name)} is not JSON`, { cause });
      }
    }

    return {
      async poll(signal) {
        const names = (await list(directory)).filter((name) => name > last).slice(0, limit);
        if (names.length === 0) await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
        const records: SourceRecord[] = [];
        for (const name of names) {
          try {
            records.push(await read(name));
          } catch (error) {
            // What came before it is delivered first; the next poll starts at the file that fails.
            if (records.length > 0) break;
            throw error;
          }
          last = name;
        }
        return records;
      },
      close() {},
    };
  },

  alterOffsets({ directory }, offsets) {
    for (const { partition, offset } of offsets) {
      if (offset === null) continue;
      if (partition["directory"] !== directory) throw new ConfigError(`The partition is {"directory":"${directory}"}`);
      fileOf(offset);
    }
    return true;
  },
});

function fileOf(offset: OffsetMap | null): string {
  if (offset === null) return "";
  const { file } = offset;
  if (typeof file !== "string") throw new ConfigError('An offset is {"file":"<name>"}');
  return file;
}

async function list(directory: string): Promise<readonly string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith(".json")).toSorted();
  } catch (cause) {
    throw new RetriableError(`${directory} cannot be read`, { cause });
  }
}
