import { toCivilDate, toEpochDay } from "./calendar.ts";
import { type DateToken, type DateTokens, tokenizeDatePattern } from "./date-pattern.ts";
import { readDate } from "./date-reader.ts";

/** A compiled date format: times of the format of Java's SimpleDateFormat in UTC and English. */
export interface DateFormat {
  readonly pattern: string;
  /** Text of a point in time, milliseconds since the epoch. */
  write(epochMs: number): string;
  /** The point in time of a text that starts with one; null if it does not. As lenient as Java: the 32nd of a month is the next one's first. */
  parse(text: string): number | null;
}

const DAY_MS = 86_400_000;
const MONTHS = [
  ...["January", "February", "March", "April", "May", "June"],
  ...["July", "August", "September", "October", "November", "December"],
];
const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** Compiles a pattern of java.text.SimpleDateFormat; `fault` says what is wrong with it. `now` decides the century of two-digit years. */
export function compileDateFormat(pattern: string, now = Date.now()): DateFormat | { readonly fault: string } {
  const tokens = tokenizeDatePattern(pattern);
  if ("fault" in tokens) return tokens;
  return {
    pattern,
    write: (epochMs) => writeDateTokens(tokens, epochMs),
    parse: (text) => readDate(tokens, text, { months: MONTHS, weekdays: WEEKDAYS, now }),
  };
}

interface Moment {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly epochDay: number;
  readonly dayOfYear: number;
  readonly msOfDay: number;
}

function momentOf(epochMs: number): Moment {
  const epochDay = Math.floor(epochMs / DAY_MS);
  const { year, month, day } = toCivilDate(epochDay);
  const dayOfYear = epochDay - toEpochDay({ year, month: 1, day: 1 }) + 1;
  return { year, month, day, epochDay, dayOfYear, msOfDay: epochMs - epochDay * DAY_MS };
}

function writeDateTokens({ tokens }: DateTokens, epochMs: number): string {
  const moment = momentOf(epochMs);
  let text = "";
  for (const token of tokens) text += token.kind === "text" ? token.text : writeField(token, moment);
  return text;
}

const pad = (value: number, width: number) =>
  value < 0 ? `-${String(-value).padStart(width, "0")}` : String(value).padStart(width, "0");
const weekdayOf = (epochDay: number) => (((epochDay + 4) % 7) + 7) % 7;

function writeField({ letter, count }: Extract<DateToken, { kind: "field" }>, moment: Moment): string {
  const hour = Math.floor(moment.msOfDay / 3_600_000);
  switch (letter) {
    case "G":
      return moment.year > 0 ? "AD" : "BC";
    case "y":
      return writeYear(moment.year > 0 ? moment.year : 1 - moment.year, count);
    case "Y":
      return writeYear(weekOfYear(moment).year, count);
    case "M":
    case "L": {
      const name = MONTHS[moment.month - 1] ?? "";
      if (count >= 4) return name;
      return count === 3 ? name.slice(0, 3) : pad(moment.month, count);
    }
    case "d":
      return pad(moment.day, count);
    case "D":
      return pad(moment.dayOfYear, count);
    case "F":
      return pad(Math.floor((moment.day - 1) / 7) + 1, count);
    case "w":
      return pad(weekOfYear(moment).week, count);
    case "W":
      return pad(Math.floor((moment.day - 1 + weekdayOf(moment.epochDay - moment.day + 1)) / 7) + 1, count);
    case "E": {
      const name = WEEKDAYS[weekdayOf(moment.epochDay)] ?? "";
      return count >= 4 ? name : name.slice(0, 3);
    }
    case "u":
      return pad(weekdayOf(moment.epochDay) || 7, count);
    case "a":
      return hour < 12 ? "AM" : "PM";
    case "H":
      return pad(hour, count);
    case "k":
      return pad(hour || 24, count);
    case "K":
      return pad(hour % 12, count);
    case "h":
      return pad(hour % 12 || 12, count);
    case "m":
      return pad(Math.floor(moment.msOfDay / 60_000) % 60, count);
    case "s":
      return pad(Math.floor(moment.msOfDay / 1000) % 60, count);
    case "S":
      return pad(moment.msOfDay % 1000, count);
    case "z":
      return count >= 4 ? "Coordinated Universal Time" : "UTC";
    case "Z":
      return "+0000";
    case "X":
      return "Z";
    default:
      throw new Error(`unreachable: ${letter satisfies never}`);
  }
}

function writeYear(year: number, count: number): string {
  return count === 2 ? pad(year % 100, 2) : pad(year, count);
}

/** Weeks start on Sunday, and the week of January 1st is the first. */
function weekOfYear({ year, epochDay }: Moment): { readonly year: number; readonly week: number } {
  const startOf = (of: number) => {
    const first = toEpochDay({ year: of, month: 1, day: 1 });
    return first - weekdayOf(first);
  };
  const next = startOf(year + 1);
  if (epochDay >= next) return { year: year + 1, week: 1 };
  return { year, week: Math.floor((epochDay - startOf(year)) / 7) + 1 };
}
