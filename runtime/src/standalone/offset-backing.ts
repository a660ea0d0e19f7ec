import type { NewRecord } from "../kafka/topic-log.ts";
import type { JavaEntry } from "./java-map.ts";
import type { Backing } from "./memory-log.ts";
import { readOffsetFile, writeOffsetFile } from "./offset-file.ts";

/**
 * Keeps the offsets in a Java worker's offset file. Each save rewrites the file; tasks save at `offset.flush.interval.ms` and when they
 * stop. Tombstones are kept, as in Java.
 */
export function createOffsetBacking(file: string): Backing {
  let entries = new Map<string, JavaEntry>();
  return {
    async load() {
      const read = await readOffsetFile(file);
      entries = new Map(read.map((entry) => [nameOf(entry[0]), entry]));
      return read.map(([key, value]) => ({ key, value }));
    },
    async save(records: readonly NewRecord[]) {
      const changed = new Map(entries);
      for (const { key, value } of records) changed.set(nameOf(key), [key, value]);
      await writeOffsetFile(file, [...changed.values()]);
      entries = changed;
    },
    close: async () => {},
  };
}

function nameOf(key: Buffer | null): string {
  return key === null ? "" : `:${key.toString("latin1")}`;
}
