import { DataError } from "@headrace/sdk";

/** An interval in ISO 8601, as PostgreSQL writes it with intervalstyle=iso_8601: each part may have a sign of its own. */
const INTERVAL =
  /^P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?)(\d+)(?:\.(\d{1,6}))?S)?)?$/;

interface Parts {
  readonly years: number;
  readonly months: number;
  readonly days: number;
  readonly hours: number;
  readonly minutes: number;
  /** Seconds in microseconds. */
  readonly micros: bigint;
}

function parse(text: string): Parts {
  const match = INTERVAL.exec(text);
  if (match === null) throw new DataError(`${text} is no interval`);
  const [, years = "0", months = "0", days = "0", hours = "0", minutes = "0", sign, seconds = "0", fraction = ""] =
    match;
  const micros = BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
  return {
    years: Number(years),
    months: Number(months),
    days: Number(days),
    hours: Number(hours),
    minutes: Number(minutes),
    micros: sign === "-" ? -micros : micros,
  };
}

/** Microseconds, with months of 30.4375 days. Source: Debezium, io.debezium.time.MicroDuration. */
export function intervalMicros(text: string): bigint {
  const { years, months, days, hours, minutes, micros } = parse(text);
  // A month has 2,629,800 seconds.
  const seconds = BigInt(years * 12 + months) * 2_629_800n + BigInt(days * 86_400 + hours * 3_600 + minutes * 60);
  return seconds * 1_000_000n + micros;
}

/** All parts written out, as in `P1Y2M3DT4H5M6.789S`. Source: Debezium, io.debezium.time.Interval. */
export function intervalText(text: string): string {
  const { years, months, days, hours, minutes, micros } = parse(text);
  const absolute = micros < 0n ? -micros : micros;
  const fraction = String(absolute % 1_000_000n)
    .padStart(6, "0")
    .replace(/0+$/, "");
  const seconds = `${micros < 0n ? "-" : ""}${absolute / 1_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
  return `P${years}Y${months}M${days}DT${hours}H${minutes}M${seconds}S`;
}
