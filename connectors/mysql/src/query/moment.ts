import { DataError } from "@headrace/sdk";
import { DAY, daysFromCivil, parseTime } from "@headrace/sql";

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)(?: (\d\d:\d\d:\d\d(?:\.\d{1,6})?))?$/;

/** Whether a date has a year, month or day that is none, as `0000-00-00`. */
export function isZeroDate(text: string): boolean {
  const match = MOMENT.exec(text);
  return match !== null && (match[2] === "00" || match[3] === "00");
}

/** Microseconds since the epoch of a date, or of a date and time taken as UTC. Throws DataError for other texts, and for dates with zeros. */
export function parseMoment(text: string): bigint {
  const match = MOMENT.exec(text);
  if (match === null) throw new DataError(`${text} is no point in time`);
  if (isZeroDate(text)) throw new DataError(`${text} is no day; see zero.date.behavior`);
  const [, year, month, day, time = "00:00:00"] = match;
  return BigInt(daysFromCivil(Number(year), Number(month), Number(day))) * DAY + parseTime(time);
}

/** Milliseconds since midnight of a TIME. Throws DataError for a span that is no time of a day. */
export function parseTimeOfDay(text: string): number {
  const micros = /^\d\d:/.test(text) ? parseTime(text) : DAY;
  if (micros >= DAY) throw new DataError(`${text} is no time of a day`);
  return Number(micros / 1000n);
}
