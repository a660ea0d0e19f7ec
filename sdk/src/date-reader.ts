import { toEpochDay } from "./calendar.ts";
import type { DateLetter, DateToken, DateTokens } from "./date-pattern.ts";

export interface DateReaderOptions {
  readonly months: readonly string[];
  readonly weekdays: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What was read so far. */
interface Parts {
  era: "AD" | "BC";
  year: number | null;
  month: number | null;
  day: number | null;
  dayOfYear: number | null;
  /** 0 to 23, or `hour12` with `afternoon`. */
  hour: number | null;
  hour12: number | null;
  afternoon: boolean;
  minute: number;
  second: number;
  millisecond: number;
  offsetMs: number;
}

/**
 * Reads a date from the start of a text, as leniently as SimpleDateFormat does; null if a token does not match. Weeks and weekdays are
 * read, but do not decide the day.
 */
export function readDate({ tokens }: DateTokens, text: string, options: DateReaderOptions): number | null {
  const parts: Parts = {
    era: "AD",
    year: null,
    month: null,
    day: null,
    dayOfYear: null,
    hour: null,
    hour12: null,
    afternoon: false,
    minute: 0,
    second: 0,
    millisecond: 0,
    offsetMs: 0,
  };
  let at = 0;
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index];
    if (token === undefined) break;
    if (token.kind === "text") {
      if (!text.startsWith(token.text, at)) return null;
      at += token.text.length;
      continue;
    }
    const end = readField(token, { text, at, fixed: isAbutting(tokens, index), options }, parts);
    if (end === null) return null;
    at = end;
  }
  return toEpochMs(parts);
}

const NUMERIC: ReadonlySet<DateLetter> = new Set([
  "y",
  "Y",
  "D",
  "d",
  "F",
  "w",
  "W",
  "u",
  "H",
  "k",
  "K",
  "h",
  "m",
  "s",
  "S",
]);

function isNumeric(token: DateToken | undefined): boolean {
  if (token?.kind !== "field") return false;
  return NUMERIC.has(token.letter) || ((token.letter === "M" || token.letter === "L") && token.count <= 2);
}

/** A number that another number follows without text between them has as many digits as its field. */
function isAbutting(tokens: readonly DateToken[], index: number): boolean {
  return isNumeric(tokens[index]) && isNumeric(tokens[index + 1]);
}

interface Cursor {
  readonly text: string;
  readonly at: number;
  readonly fixed: boolean;
  readonly options: DateReaderOptions;
}

/** Where the field ends; null if there is none. */
function readField(token: Extract<DateToken, { kind: "field" }>, cursor: Cursor, parts: Parts): number | null {
  const [blanks = ""] = /^[ \t]*/.exec(cursor.text.slice(cursor.at)) ?? [];
  const at = cursor.at + blanks.length;
  const rest = cursor.text.slice(at);
  if (isNumeric(token)) {
    const limit = cursor.fixed ? rest.slice(0, token.count) : rest;
    const [digits] = /^-?\d+/.exec(limit) ?? [];
    if (digits === undefined) return null;
    setNumber(token, Number(digits), digits, parts, cursor.options);
    return at + digits.length;
  }
  const length = readWord(token, rest, parts, cursor.options);
  return length === null ? null : at + length;
}

function setNumber(
  { letter, count }: Extract<DateToken, { kind: "field" }>,
  value: number,
  digits: string,
  parts: Parts,
  options: DateReaderOptions,
): void {
  switch (letter) {
    case "y":
    case "Y":
      parts.year = count <= 2 && /^\d\d$/.test(digits) ? centuryYear(value, options.now) : value;
      return;
    case "M":
    case "L":
      parts.month = value;
      return;
    case "d":
      parts.day = value;
      return;
    case "D":
      parts.dayOfYear = value;
      return;
    case "H":
      parts.hour = value;
      return;
    case "k":
      parts.hour = value === 24 ? 0 : value;
      return;
    case "K":
      parts.hour12 = value;
      return;
    case "h":
      parts.hour12 = value === 12 ? 0 : value;
      return;
    case "m":
      parts.minute = value;
      return;
    case "s":
      parts.second = value;
      return;
    case "S":
      parts.millisecond = value;
      return;
    default:
  }
}

/** Two digits mean the year from 80 years ago to 20 years ahead. */
function centuryYear(value: number, now: number): number {
  const start = new Date(now).getUTCFullYear() - 80;
  return start + ((((value - start) % 100) + 100) % 100);
}

/** The length of a word that a field takes; null if none fits. */
function readWord(
  { letter }: Extract<DateToken, { kind: "field" }>,
  rest: string,
  parts: Parts,
  { months, weekdays }: DateReaderOptions,
): number | null {
  switch (letter) {
    case "G": {
      const found = match(rest, ["AD", "BC"]);
      if (found === null) return null;
      parts.era = found.index === 0 ? "AD" : "BC";
      return found.length;
    }
    case "M":
    case "L": {
      const found = match(rest, months);
      if (found === null) return null;
      parts.month = found.index + 1;
      return found.length;
    }
    case "E":
      return match(rest, weekdays)?.length ?? null;
    case "a": {
      const found = match(rest, ["AM", "PM"]);
      if (found === null) return null;
      parts.afternoon = found.index === 1;
      return found.length;
    }
    default:
      return readZone(letter, rest, parts);
  }
}

/** The word that a text starts with, in full or by its first three letters, in any case. */
function match(text: string, words: readonly string[]): { readonly index: number; readonly length: number } | null {
  const lower = text.toLowerCase();
  for (const length of [Number.POSITIVE_INFINITY, 3]) {
    const index = words.findIndex((word) => lower.startsWith(word.slice(0, length).toLowerCase()));
    const word = words[index];
    if (word !== undefined) return { index, length: Math.min(length, word.length) };
  }
  return null;
}

function readZone(letter: DateLetter, rest: string, parts: Parts): number | null {
  const zone =
    letter === "X"
      ? /^(?:Z|([+-])(\d\d)(?::?(\d\d))?)/.exec(rest)
      : /^(?:(?:GMT|UTC|UT)(?:([+-])(\d\d?):(\d\d))?|([+-])(\d\d)(\d\d)|Coordinated Universal Time)/i.exec(rest);
  if (zone === null) return null;
  const [whole, sign = zone[4], hours = zone[5] ?? "0", minutes = zone[6] ?? "0"] = zone;
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000;
  parts.offsetMs = sign === "-" ? -offsetMs : offsetMs;
  return whole.length;
}

function toEpochMs(parts: Parts): number {
  const year = parts.year ?? 1970;
  const shown = parts.era === "BC" ? 1 - year : year;
  const month = parts.month ?? 1;
  const epochDay =
    parts.dayOfYear !== null && parts.month === null && parts.day === null
      ? toEpochDay({ year: shown, month: 1, day: 1 }) + parts.dayOfYear - 1
      : toEpochDay({ year: shown, month, day: parts.day ?? 1 });
  const hour = parts.hour ?? (parts.hour12 ?? 0) + (parts.afternoon ? 12 : 0);
  const seconds = (hour * 60 + parts.minute) * 60 + parts.second;
  return epochDay * 86_400_000 + seconds * 1000 + parts.millisecond - parts.offsetMs;
}
