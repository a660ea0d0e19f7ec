/**
 * Days of Java's GregorianCalendar: Gregorian from 1582-10-15 on, Julian before. Days count from 1970-01-01; years before 1 are 0, -1, …
 */
export interface CivilDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
}

/** The first day of the Gregorian calendar, 1582-10-15. */
const CUTOVER = -141_427;

/** Shift from Julian day numbers to days since the epoch. */
const EPOCH_JULIAN_DAY = 2_440_588;

/** The day of a date; months and days beyond their ends count on. */
export function toEpochDay(date: CivilDate): number {
  const months = date.year * 12 + date.month - 1;
  const year = Math.floor(months / 12);
  const month = months - year * 12 + 1;
  const gregorian = dayOf(year, month, true) + date.day - 1;
  if (gregorian >= CUTOVER) return gregorian;
  const julian = dayOf(year, month, false) + date.day - 1;
  return julian < CUTOVER ? julian : gregorian;
}

/** The date of a day. Source of the arithmetic: Fliegel and Van Flandern, with years that start in March. */
export function toCivilDate(epochDay: number): CivilDate {
  const shifted = epochDay + EPOCH_JULIAN_DAY - 1_721_120;
  const [year, dayOfYear] = epochDay >= CUTOVER ? splitGregorian(shifted) : splitJulian(shifted + 2);
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  return { year: month <= 2 ? year + 1 : year, month, day };
}

function splitGregorian(shifted: number): readonly [number, number] {
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const leapDays = Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100);
  return [yearOfEra + era * 400, dayOfEra - (365 * yearOfEra + leapDays)];
}

function splitJulian(shifted: number): readonly [number, number] {
  const era = Math.floor(shifted / 1461);
  const dayOfEra = shifted - era * 1461;
  const yearOfEra = Math.min(3, Math.floor(dayOfEra / 365));
  return [yearOfEra + era * 4, dayOfEra - 365 * yearOfEra];
}

function dayOf(year: number, month: number, gregorian: boolean): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5);
  const leapDays = gregorian
    ? Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400)
    : Math.floor(marchYear / 4) - 2;
  return 365 * marchYear + leapDays + dayOfYear + 1_721_120 - EPOCH_JULIAN_DAY;
}
