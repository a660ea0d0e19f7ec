import { compileDateFormat, DataError, dateOf, type SinkRecord, toText, type UtcOffset } from "@headrace/sdk";
import { fieldAt } from "../format/fields.ts";

/** The directory of a record's object below its topic. Throws DataError if the record has no such place. */
export type Partitioner = (record: SinkRecord, timestamp: number | null) => string;

/** The point in time of a record, ms since the epoch; null if it has none. Throws DataError if it should have one. */
export type TimestampExtractor = (record: SinkRecord) => number | null;

export function defaultPartitioner(): Partitioner {
  return (record) => `partition=${record.original.partition}`;
}

/** `name=value` per field. */
export function fieldPartitioner(names: readonly string[], delimiter: string): Partitioner {
  return (record) =>
    names
      .map((name) => {
        const field = fieldAt(record.value, name);
        if (field.value === null) throw new DataError(`the field ${name} is null, and has no directory`);
        return `${name}=${pathSafe(toText(field), delimiter)}`;
      })
      .join(delimiter);
}

/** Text that stays one part of a path: separators, and what would go up, are written as in URLs. */
function pathSafe(text: string, delimiter: string): string {
  const safe = text
    .toWellFormed() // URLs have no half characters.
    .replace(/[%\p{Cc}]/gu, encodeURIComponent)
    .replaceAll("/", "%2F")
    .replaceAll(delimiter, encodeURIComponent(delimiter));
  return /^\.{1,2}$/.test(safe) ? safe.replaceAll(".", "%2E") : safe;
}

/** Directories by time, cut to multiples of `durationMs` in the time zone. */
export function timePartitioner(options: {
  readonly write: (epochMs: number) => string;
  readonly durationMs: number;
  readonly utcOffset: UtcOffset;
}): Partitioner {
  const { write, durationMs, utcOffset } = options;
  let lastSlot = Number.NaN;
  let lastPath = "";
  return (_, timestamp) => {
    if (timestamp === null) throw new DataError("the record has no timestamp, and no directory (partitioner.class)");
    if (!Number.isFinite(timestamp)) throw new DataError(`${timestamp} is no point in time, and has no directory`);
    const local = timestamp + utcOffset(timestamp);
    const slot = Math.floor(local / durationMs);
    if (slot !== lastSlot) {
      lastPath = write(slot * durationMs);
      lastSlot = slot;
    }
    return lastPath;
  };
}

/**
 * A format of paths, as Confluent's connectors have it (Joda's DateTimeFormat): `y`, `Y`, `M`, `d`, `D`, `E`, `a`, `H`, `h`, `m`, `s`, `S`;
 * `Y` is the year of the calendar. Answers what is wrong with it as `fault`.
 */
export function compilePathFormat(pattern: string): { write(localMs: number): string } | { readonly fault: string } {
  let quoted = false;
  let java = "";
  for (const character of pattern) {
    if (character === "'") quoted = !quoted;
    const letter = !quoted && /[A-Za-z]/.test(character);
    if (letter && !/[yYMdDEaHhmsS]/.test(character)) return { fault: `${character} is no letter of a path format` };
    java += letter && character === "Y" ? "y" : character;
  }
  return compileDateFormat(java);
}

/** Reads times from a field: a logical type, a number of milliseconds, or text as ISO 8601 has it (without a zone: UTC). */
export function fieldTimestamp(path: string): TimestampExtractor {
  return (record) => {
    const { schema, value } = fieldAt(record.value, path);
    const date = dateOf(value, schema);
    if (date !== null) return date.getTime();
    if (typeof value === "bigint" || typeof value === "number") return Number(value);
    if (typeof value === "string") {
      const zoned = /[zZ]$|[+-]\d\d:?\d\d$/.test(value) || !value.includes(":");
      const parsed = Date.parse(zoned ? value : `${value}Z`);
      if (!Number.isNaN(parsed)) return parsed;
    }
    throw new DataError(`the field ${path} is no point in time`);
  };
}
