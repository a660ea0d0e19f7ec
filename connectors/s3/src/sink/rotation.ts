import type { Layout } from "../format/sink-format.ts";

/** When the open objects of a topic partition are completed. All of them are, together: only then is there one offset that is safe. */
export interface RotationLimits {
  /** Records of all open objects of a topic partition. */
  readonly maxRecords: number;
  /** Bytes of all of them before compression; null: no limit. */
  readonly maxBytes: number | null;
  /** Open objects of a topic partition. */
  readonly maxObjects: number;
  /** Record time between the first record and the last, ms; null: no limit. */
  readonly recordTimeMs: number | null;
  /** Wall-clock time; null: no limit. */
  readonly schedule: { readonly intervalMs: number; readonly utcOffsetMs: (epochMs: number) => number } | null;
}

/** What the open objects of a topic partition have. */
export interface RoundState {
  readonly records: number;
  readonly bytes: number;
  readonly objects: number;
  /** Time of the first record, ms since the epoch; null: it had none. */
  readonly firstTimestamp: number | null;
  /** Wall-clock time of the first record, ms since the epoch. */
  readonly openedAt: number;
}

/** The record that comes next. */
export interface NextRecord {
  readonly timestamp: number | null;
  readonly layout: Layout;
  /** Layout of the open object that it belongs to; null: there is none yet. */
  readonly openLayout: Layout | null;
}

/** Whether what is open is completed before this record. Depends on records only. */
export function isFullBefore(round: RoundState, next: NextRecord, limits: RotationLimits): boolean {
  if (round.records === 0) return false;
  if (next.openLayout !== null && next.openLayout !== next.layout) return true;
  if (next.openLayout === null && round.objects >= limits.maxObjects) return true;
  if (limits.recordTimeMs === null || next.timestamp === null || round.firstTimestamp === null) return false;
  return next.timestamp - round.firstTimestamp >= limits.recordTimeMs;
}

/** Whether what is open is completed with the record that it took last. Depends on records only. */
export function isFullAfter(round: RoundState, limits: RotationLimits): boolean {
  if (round.records === 0) return false;
  return round.records >= limits.maxRecords || (limits.maxBytes !== null && round.bytes >= limits.maxBytes);
}

/** Whether the clock says so: a multiple of the interval, counted from midnight in the time zone, lies between the first record and now. */
export function isOverdue(round: RoundState, now: number, limits: RotationLimits): boolean {
  if (limits.schedule === null || round.records === 0) return false;
  const { intervalMs, utcOffsetMs } = limits.schedule;
  const slot = (at: number) => Math.floor((at + utcOffsetMs(at)) / intervalMs);
  return slot(now) > slot(round.openedAt);
}
