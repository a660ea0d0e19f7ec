import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface GoldenRecord {
  readonly key: string;
  readonly value: string | null;
}

/** What a worker of Apache Kafka Connect wrote to one of its topics; recorded by test/interop/golden-records.ts. */
export function goldenTopic(topic: "config" | "status" | "offsets"): readonly GoldenRecord[] {
  return readLines(`${topic}-topic.jsonl`).map((line) => JSON.parse(line));
}

/** The lines of a file in golden/. */
export function readLines(file: string): readonly string[] {
  return readFileSync(join(import.meta.dirname, "golden", file), "utf8")
    .trimEnd()
    .split("\n");
}

/** As the fold and the stores take them: offsets count from 0. */
export function toLog(records: readonly GoldenRecord[], from = 0n) {
  return records.map(({ key, value }, index) => ({
    partition: 0,
    offset: from + BigInt(index),
    timestampMs: 1_700_000_000_000 + index,
    key: Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
  }));
}
