import { ConfigError, type OffsetMap } from "@headrace/sdk";
import { floorDivide } from "../moment.ts";

/** How far a table has been read; null: no bound. */
export interface Position {
  /** Microseconds since the epoch. */
  readonly timestamp: bigint | null;
  readonly incrementing: bigint | null;
}

export const START: Position = { timestamp: null, incrementing: null };

const SECOND_MS = 1_000n;

/** The offset as JDBC sources store it. Source: Confluent's JDBC source connector, TimestampIncrementingOffset. */
export function toOffset({ timestamp, incrementing }: Position): OffsetMap {
  if (timestamp === null) return incrementing === null ? { timestamp: null } : { incrementing };
  const milliseconds = floorDivide(timestamp, 1_000n);
  const second = floorDivide(milliseconds, SECOND_MS);
  return {
    ...(incrementing !== null && { incrementing }),
    timestamp: milliseconds,
    timestamp_nanos: Number(timestamp - second * 1_000_000n) * 1_000,
  };
}

/** Throws ConfigError for what is no such offset. */
export function fromOffset(offset: OffsetMap | null): Position {
  if (offset === null) return START;
  const milliseconds = integerOf(offset, "timestamp");
  const nanos = integerOf(offset, "timestamp_nanos");
  return { incrementing: integerOf(offset, "incrementing"), timestamp: microsOf(milliseconds, nanos) };
}

function microsOf(milliseconds: bigint | null, nanos: bigint | null): bigint | null {
  if (milliseconds === null) return null;
  if (nanos === null) return milliseconds * 1_000n;
  return floorDivide(milliseconds, SECOND_MS) * 1_000_000n + nanos / 1_000n;
}

function integerOf(offset: OffsetMap, key: string): bigint | null {
  const value = offset[key] ?? null;
  if (value === null) return null;
  if (typeof value === "bigint") return value;
  if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
  throw new ConfigError(`${key} of an offset must be an integer`);
}
