import { DataError } from "@headrace/sdk";

/** A second in microseconds. */
export const SECOND = 1_000_000n;
/** A day in microseconds. */
export const DAY = 86_400n * SECOND;

const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/;

/** Microseconds since midnight of a time without zone; 24:00:00 is a day. Throws DataError for other texts. */
export function parseTime(text: string): bigint {
  const match = TIME.exec(text);
  if (match === null) throw new DataError(`${text} is no time`);
  const [, hours = "", minutes = "", seconds = "", fraction = ""] = match;
  const whole = BigInt(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
  return whole * SECOND + BigInt(fraction.padEnd(6, "0"));
}

/** A point in time as SQL reads it, in UTC, without a zone. */
export function timestampText(micros: bigint): string {
  const days = floorDivide(micros, DAY);
  const { year, month, day } = civilFromDays(Number(days));
  const rest = micros - days * DAY;
  const seconds = rest / SECOND;
  const two = (part: bigint | number) => String(part).padStart(2, "0");
  const era = year > 0 ? "" : " BC";
  const date = `${String(year > 0 ? year : 1 - year).padStart(4, "0")}-${two(month)}-${two(day)}`;
  const time = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  return `${date} ${time}.${String(rest % SECOND).padStart(6, "0")}${era}`;
}

/** Integer division that rounds towards negative infinity, as Java's Math.floorDiv. */
export function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}

/** Proleptic Gregorian calendar, of any year. Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
export function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Its inverse. */
export function civilFromDays(days: number): { readonly year: number; readonly month: number; readonly day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

/** Hours, minutes and seconds, and the six digits of the second's fraction. */
export function clockParts(micros: bigint): { readonly clock: string; readonly fraction: string } {
  const seconds = micros / SECOND;
  const two = (part: bigint) => String(part).padStart(2, "0");
  const clock = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  return { clock, fraction: String(micros % SECOND).padStart(6, "0") };
}
