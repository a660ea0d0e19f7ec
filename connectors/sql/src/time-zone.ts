import { utcOffsetOf } from "@headrace/sdk";
import { floorDivide } from "./moment.ts";

/** The zone of a database's times that have none of their own. All are microseconds since the epoch, of a local time as if it were UTC. */
export interface TimeZone {
  /** The local time of a point in time. */
  toLocal(utc: bigint): bigint;
  /**
   * The point in time of a local time. Of a local time that there is twice (clocks were put back) it is the first; one that there is not (clocks
   * were put forward) is taken as that much later. Source: java.time, LocalDateTime.atZone.
   */
  toUtc(local: bigint): bigint;
}

const DAY_MS = 86_400_000;
const QUARTER_MS = 900_000;
/** Of the offsets that are kept. */
const MOST_QUARTERS = 10_000;

/** Where nothing is to be done. */
export const UTC: TimeZone = { toLocal: (utc) => utc, toUtc: (local) => local };

/** The time zone of an IANA name; {@link UTC} itself for UTC. Throws RangeError for others. */
export function timeZoneOf(name: string): TimeZone {
  const offsetAt = utcOffsetOf(name);
  if (new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone === "UTC") return UTC;
  /** By quarters of an hour, on which offsets change. */
  const kept = new Map<number, number>();

  function offsetOfLocal(localMs: number): number {
    const before = offsetAt(localMs - DAY_MS);
    const after = offsetAt(localMs + DAY_MS);
    for (const offset of [before, after]) if (offsetAt(localMs - offset) === offset) return offset;
    return before;
  }

  return {
    toLocal: (utc) => utc + BigInt(offsetAt(Number(floorDivide(utc, 1000n)))) * 1000n,
    toUtc(local) {
      const localMs = Number(floorDivide(local, 1000n));
      const quarter = Math.floor(localMs / QUARTER_MS);
      let offset = kept.get(quarter);
      if (offset === undefined) {
        if (kept.size >= MOST_QUARTERS) kept.clear();
        offset = offsetOfLocal(localMs);
        kept.set(quarter, offset);
      }
      return local - BigInt(offset) * 1000n;
    },
  };
}

/** What is wrong with a name, or null. */
export function timeZoneProblem(name: string): string | null {
  try {
    utcOffsetOf(name);
    return null;
  } catch (error) {
    if (error instanceof RangeError) return `${name} is no time zone: give a name such as UTC or Europe/Berlin`;
    throw error;
  }
}
