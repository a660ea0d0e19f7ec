import type { OffsetMap } from "../source.ts";

/** Source offsets in memory, in the form in which Kafka's offsets topic keeps them: as JSON. */
export interface MemoryOffsets {
  read(partition: OffsetMap): OffsetMap | null;
  /** null forgets the partition. Throws if the map does not survive being stored. */
  write(partition: OffsetMap, offset: OffsetMap | null): void;
  /** A copy that goes its own way. */
  copy(): MemoryOffsets;
  /** What is stored, as {@link createMemoryOffsets} takes it. */
  entries(): readonly (readonly [string, string])[];
}

/** Creates an empty store. */
export function createMemoryOffsets(entries: Iterable<readonly [string, string]> = []): MemoryOffsets {
  const stored = new Map<string, string>(entries);
  return {
    read(partition) {
      const text = stored.get(keyOf(partition));
      return text === undefined ? null : fromJson(text);
    },
    write(partition, offset) {
      const key = keyOf(partition);
      if (offset === null) stored.delete(key);
      else stored.set(key, toJson(offset));
    },
    copy: () => createMemoryOffsets(stored),
    entries: () => [...stored],
  };
}

/** One text per partition, whatever the order of its entries. */
export function keyOf(partition: OffsetMap): string {
  return toJson(Object.fromEntries(Object.entries(partition).toSorted(([a], [b]) => (a < b ? -1 : 1))));
}

/** 64-bit integers are numbers in the stored JSON. */
function toJson(map: OffsetMap): string {
  const entries = Object.entries(map).map(([name, value]) => {
    if (typeof value === "object" && value !== null) throw new Error(`${name}: offsets and partitions are flat maps`);
    if (value === undefined) throw new Error(`${name} is undefined; leave it out, or store null`);
    if (typeof value === "number" && !Number.isFinite(value))
      throw new Error(`${name} is ${value}, which JSON has not`);
    return `${JSON.stringify(name)}:${typeof value === "bigint" ? String(value) : JSON.stringify(value)}`;
  });
  return `{${entries.join(",")}}`;
}

const ENTRY = /("(?:[^"\\]|\\.)*"):("(?:[^"\\]|\\.)*"|[^,}]+)/g;

/** As the worker: an integer comes back as a number up to 2^53, as a `bigint` beyond. */
function fromJson(text: string): OffsetMap {
  const map: Record<string, OffsetMap[string]> = {};
  for (const [, name = "", value = ""] of text.matchAll(ENTRY)) {
    const whole = /^-?\d+$/.test(value) && !Number.isSafeInteger(Number(value));
    map[JSON.parse(name)] = whole ? BigInt(value) : JSON.parse(value);
  }
  return map;
}
