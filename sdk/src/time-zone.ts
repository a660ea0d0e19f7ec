/** How far a time zone is ahead of UTC at a point in time, ms. */
export type UtcOffset = (epochMs: number) => number;

const HOUR_MS = 3_600_000;
/** The last point in time that a Date has in every time zone, ms since the epoch. */
const LAST_MS = 8.64e15 - 48 * HOUR_MS;

/** The time zone of an IANA name, such as `Europe/Berlin`. Throws RangeError for others. */
export function utcOffsetOf(timeZone: string): UtcOffset {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
    era: "short",
  });
  if (format.resolvedOptions().timeZone === "UTC") return () => 0;
  // Offsets change on quarters of an hour only.
  let slot = Number.NaN;
  let offset = 0;
  return (given) => {
    // Records may have any number of milliseconds, or nanoseconds by mistake.
    const epochMs = Math.min(Math.max(given, -LAST_MS), LAST_MS);
    const current = Math.floor(epochMs / (HOUR_MS / 4));
    if (current === slot) return offset;
    const parts = new Map(format.formatToParts(epochMs).map(({ type, value }) => [type, value]));
    const part = (type: Intl.DateTimeFormatPartTypes) => Number(parts.get(type));
    const year = parts.get("era") === "BC" ? 1 - part("year") : part("year");
    const local = new Date(0);
    local.setUTCFullYear(year, part("month") - 1, part("day"));
    local.setUTCHours(part("hour"), part("minute"), part("second"));
    slot = current;
    offset = local.getTime() - Math.floor(epochMs / 1000) * 1000;
    return offset;
  };
}
