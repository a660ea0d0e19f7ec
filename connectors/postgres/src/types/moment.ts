import { DataError } from "@headrace/sdk";
import { civilFromDays, clockParts, DAY, daysFromCivil, floorDivide, parseTime, SECOND } from "@headrace/sql";

/** What date/time types have besides points in time. */
export type Endless = "infinity" | "-infinity";

const TIMESTAMP = /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d:\d\d:\d\d(?:\.\d+)?)([+-]\d\d(?::\d\d){0,2})?)?( BC)?$/;
const OFFSET = /^([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?$/;

/**
 * Microseconds since the epoch of a timestamp, with or without time zone, or of a date, in PostgreSQL's ISO style. Without a zone it is taken
 * as UTC. Throws DataError for other texts.
 */
export function parseTimestamp(text: string): bigint | Endless {
  if (text === "infinity" || text === "-infinity") return text;
  const match = TIMESTAMP.exec(text);
  if (match === null) throw new DataError(`${text} is no timestamp`);
  const [, year = "", month = "", day = "", time = "00:00:00", offset, era] = match;
  const astronomical = era === undefined ? Number(year) : 1 - Number(year);
  const days = daysFromCivil(astronomical, Number(month), Number(day));
  return BigInt(days) * DAY + parseTime(time) - (offset === undefined ? 0n : parseOffset(offset));
}

/** Days since the epoch of a date. Throws DataError for other texts. */
export function parseDate(text: string): number | Endless {
  const micros = parseTimestamp(text);
  return typeof micros === "bigint" ? Number(micros / DAY) : micros;
}

/** Microseconds that a zone is ahead of UTC, of text such as `+05:30`. Throws DataError for other texts. */
export function parseOffset(text: string): bigint {
  const match = OFFSET.exec(text);
  if (match === null) throw new DataError(`${text} is no offset from UTC`);
  const [, sign, hours = "0", minutes = "0", seconds = "0"] = match;
  const whole = BigInt(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * SECOND;
  return sign === "-" ? -whole : whole;
}

/** ISO 8601 in UTC with so many digits of the second, for instance `2024-02-29T11:14:15.100Z`; the ends of time as PostgreSQL has them. */
export function zonedTimestampText(micros: bigint | Endless, digits: number): string {
  if (typeof micros !== "bigint") return micros;
  const days = floorDivide(micros, DAY);
  const { year, month, day } = civilFromDays(Number(days));
  const two = (part: number) => String(part).padStart(2, "0");
  const sign = year > 9999 ? "+" : year < 0 ? "-" : "";
  const date = `${sign}${String(Math.abs(year)).padStart(4, "0")}-${two(month)}-${two(day)}`;
  const { clock, fraction } = clockParts(micros - days * DAY);
  return `${date}T${clock}${digits === 0 ? "" : `.${fraction.slice(0, digits)}`}Z`;
}

/** A time with zone in UTC, for instance `11:14:15.123456Z`. Throws DataError for other texts. */
export function parseZonedTime(text: string): string {
  const zone = text.search(/[+-]/);
  if (zone < 0) throw new DataError(`${text} is no time with zone`);
  const micros = parseTime(text.slice(0, zone)) - parseOffset(text.slice(zone));
  const { clock, fraction } = clockParts(((micros % DAY) + DAY) % DAY);
  const digits = fraction.replace(/0+$/, "");
  return `${clock}${digits === "" ? "" : `.${digits}`}Z`;
}
