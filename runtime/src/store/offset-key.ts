import type { OffsetMap, OffsetScalar } from "@headrace/sdk";
import { javaHashMapOrder } from "../java-hash-map.ts";
import { isJsonObject, type JsonValue, parseJson } from "../json.ts";

/**
 * Keys of the offsets topic: `["<connector>",{<source partition>}]` as compact JSON (contract §3). Their bytes matter: compaction and
 * partitioning go by them, and Java workers look up by the bytes that they would write.
 */

/** The bytes that a Java worker writes for a partition given as a HashMap with the entries put in our order. */
export function encodeOffsetKey(connector: string, partition: OffsetMap): Buffer {
  const names = javaHashMapOrder(Object.keys(partition));
  const entries = names.map((name) => `${quote(name)}:${scalar(partition[name] ?? null)}`);
  return Buffer.from(`[${quote(connector)},{${entries.join(",")}}]`);
}

/** Reads a key; null if it is not one (contract §3: arrays of exactly two, the first a string). */
export function decodeOffsetKey(key: Buffer): { readonly connector: string; readonly partition: OffsetMap } | null {
  let parsed: JsonValue;
  try {
    parsed = parseJson(key.toString());
  } catch {
    return null;
  }
  if (!Array.isArray(parsed) || parsed.length !== 2) return null;
  const [connector, value] = parsed;
  const partition = readOffsetMap(value);
  return typeof connector === "string" && partition !== null ? { connector, partition } : null;
}

/** A flat map of scalars, or null for anything else. */
export function readOffsetMap(value: JsonValue | undefined): OffsetMap | null {
  if (!isJsonObject(value)) return null;
  const entries: [string, OffsetScalar][] = [];
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === "object" && member !== null) return null;
    entries.push([name, member]);
  }
  return Object.fromEntries(entries);
}

/** Equal for partitions with equal entries, in whatever order and integer type they come. */
export function canonicalPartition(partition: OffsetMap): string {
  const names = Object.keys(partition).sort();
  return `{${names.map((name) => `${quote(name)}:${scalar(partition[name] ?? null)}`).join(",")}}`;
}

function scalar(value: OffsetScalar): string {
  return typeof value === "string"
    ? quote(value)
    : typeof value === "bigint"
      ? value.toString()
      : JSON.stringify(value);
}

/** A JSON string as Jackson writes it into bytes: upper-case digits in escapes, and characters beyond 16 bits as two escapes. */
function quote(text: string): string {
  return JSON.stringify(text)
    .replace(/(?<!\\)((?:\\\\)*)\\u([0-9a-f]{4})/g, (_, slashes: string, digits: string) => {
      return `${slashes}\\u${digits.toUpperCase()}`;
    })
    .replace(/[\ud800-\udfff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).toUpperCase()}`);
}
