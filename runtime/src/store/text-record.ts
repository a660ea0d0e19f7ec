import { type JsonValue, parseJson } from "../json.ts";

/** A record of the config or status topic: a key in plain text, a JSON value or null for a tombstone. `problem` says why it is none. */
export type TextRecord = { readonly name: string; readonly payload: JsonValue } | { readonly problem: string };

/** Decodes key and value. Never throws. Source: contract of the state topics (KafkaConfigBackingStore, KafkaStatusBackingStore). */
export function readTextRecord(key: Buffer | null, value: Buffer | null): TextRecord {
  if (key === null) return { problem: "the key is null" };
  const name = key.toString();
  try {
    return { name, payload: value === null ? null : parseJson(value.toString()) };
  } catch {
    return { problem: `the value of '${name}' is not JSON` };
  }
}
