import {
  DATE_NAME,
  DataError,
  DECIMAL_NAME,
  fromUnscaled,
  type Schema,
  scaleOf,
  TIME_NAME,
  TIMESTAMP_NAME,
  toCivilDate,
  toEpochDay,
  toUnscaled,
  type Value,
} from "@headrace/sdk";
import { DATE_MESSAGE, DECIMAL_MESSAGE, TIME_MESSAGE, TIMESTAMP_MESSAGE } from "./names.ts";
import type { WireReader } from "./wire-reader.ts";
import { DELIMITED, VARINT, type WireWriter } from "./wire-writer.ts";

/** Connect's logical types as the messages that stand for them. Source: ProtobufData, com.google.protobuf.util.Timestamps, DecimalUtils. */
export interface Logical {
  /** Full name of the message. */
  readonly message: string;
  /** Writes the fields of the message. Throws DataError. */
  write(out: WireWriter, value: Value): void;
  /** Reads the fields of the message to its end. Throws DataError. */
  read(data: WireReader): Value;
}

/** The logical type of a schema; null if it is none. */
export function logicalOf(schema: Schema): Logical | null {
  switch (schema.name) {
    case TIMESTAMP_NAME:
      return TIMESTAMP;
    case DATE_NAME:
      return DATE;
    case TIME_NAME:
      return TIME;
    case DECIMAL_NAME:
      return decimal(scaleOf(schema));
    default:
      return null;
  }
}

const NANOS_PER_MS = 1_000_000;
/** 0001-01-01 and the end of 9999. */
const FIRST_SECOND = -62_135_596_800n;
const LAST_SECOND = 253_402_300_799n;

const TIMESTAMP: Logical = {
  message: TIMESTAMP_MESSAGE,
  write(out, value) {
    if (typeof value !== "bigint") throw new DataError("a Timestamp is no INT64");
    const millis = ((value % 1000n) + 1000n) % 1000n;
    const seconds = (value - millis) / 1000n;
    if (seconds < FIRST_SECOND || seconds > LAST_SECOND)
      throw new DataError(`${value} ms is beyond a Timestamp's years`);
    long(out, 1, seconds);
    int(out, 2, Number(millis) * NANOS_PER_MS);
  },
  read(data) {
    let seconds = 0n;
    let nanos = 0;
    eachNumber(data, (number, value) => {
      if (number === 1) seconds = value;
      else if (number === 2) nanos = Number(BigInt.asIntN(32, value));
    });
    if (seconds < FIRST_SECOND || seconds > LAST_SECOND || nanos < 0 || nanos > 999_999_999) {
      throw new DataError(`${seconds} s and ${nanos} ns is no Timestamp`);
    }
    return seconds * 1000n + BigInt(Math.trunc(nanos / NANOS_PER_MS));
  },
};

const DATE: Logical = {
  message: DATE_MESSAGE,
  write(out, value) {
    if (typeof value !== "number" || !Number.isInteger(value)) throw new DataError("a Date is no INT32");
    const { year, month, day } = toCivilDate(value);
    if (year < 1 || year > 9999) throw new DataError(`day ${value} is beyond a Date's years`);
    int(out, 1, year);
    int(out, 2, month);
    int(out, 3, day);
  },
  read(data) {
    const [year, month, day] = numbers(data, 3);
    const value = year === undefined || month === undefined || day === undefined ? 0 : toEpochDay({ year, month, day });
    const back = toCivilDate(value);
    if (back.year !== year || back.month !== month || back.day !== day || year < 1 || year > 9999) {
      throw new DataError(`${year}-${month}-${day} is no Date`);
    }
    return value;
  },
};

const DAY_MS = 86_400_000;

const TIME: Logical = {
  message: TIME_MESSAGE,
  write(out, value) {
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value >= DAY_MS) {
      throw new DataError(`${value} ms is no time of day`);
    }
    int(out, 1, Math.trunc(value / 3_600_000));
    int(out, 2, Math.trunc(value / 60_000) % 60);
    int(out, 3, Math.trunc(value / 1000) % 60);
    int(out, 4, (value % 1000) * NANOS_PER_MS);
  },
  read(data) {
    const [hours = 0, minutes = 0, seconds = 0, nanos = 0] = numbers(data, 4);
    const fits = (part: number, limit: number) => part >= 0 && part < limit;
    if (!fits(hours, 24) || !fits(minutes, 60) || !fits(seconds, 60) || !fits(nanos, 1e9)) {
      throw new DataError(`${hours}:${minutes}:${seconds} and ${nanos} ns is no time of day`);
    }
    return hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + Math.trunc(nanos / NANOS_PER_MS);
  },
};

/** A decimal says its scale itself; one of another scale is brought to the schema's, if no digit is lost. */
function decimal(scale: number): Logical {
  return {
    message: DECIMAL_MESSAGE,
    write(out, value) {
      if (!Buffer.isBuffer(value)) throw new DataError("a Decimal is no BYTES");
      const unscaled = toUnscaled(value);
      out.varint((1 << 3) | DELIMITED);
      out.bytes(value);
      int(out, 2, String(unscaled < 0n ? -unscaled : unscaled).length);
      int(out, 3, scale);
    },
    read(data) {
      let bytes: Buffer = Buffer.alloc(0);
      let given = 0;
      while (data.more) {
        const tag = data.varint();
        if (tag === ((1 << 3) | DELIMITED)) bytes = data.bytes();
        else if (tag === ((3 << 3) | VARINT)) given = data.int32();
        else data.skip(tag);
      }
      return given === scale ? checked(bytes) : rescaled(toUnscaled(bytes), given, scale);
    },
  };
}

function checked(bytes: Buffer): Buffer {
  toUnscaled(bytes);
  return bytes;
}

/** More digits than any decimal has. */
const MAX_SHIFT = 10_000;

function rescaled(unscaled: bigint, from: number, to: number): Buffer {
  const factor = Math.abs(to - from) <= MAX_SHIFT ? 10n ** BigInt(Math.abs(to - from)) : 0n;
  if (factor !== 0n && to > from) return fromUnscaled(unscaled * factor);
  if (factor !== 0n && unscaled % factor === 0n) return fromUnscaled(unscaled / factor);
  throw new DataError(`a decimal of scale ${from} does not fit the schema's scale, ${to}`);
}

function int(out: WireWriter, number: number, value: number): void {
  if (value === 0) return;
  out.varint((number << 3) | VARINT);
  out.int32(value);
}

function long(out: WireWriter, number: number, value: bigint): void {
  if (value === 0n) return;
  out.varint((number << 3) | VARINT);
  out.int64(value);
}

function eachNumber(data: WireReader, found: (number: number, value: bigint) => void): void {
  while (data.more) {
    const tag = data.varint();
    if ((tag & 7) === VARINT) found(tag >>> 3, data.int64());
    else data.skip(tag);
  }
}

/** The numbers of the fields 1 to count; 0 for what is not there. */
function numbers(data: WireReader, count: number): readonly number[] {
  const found = new Array<number>(count).fill(0);
  eachNumber(data, (number, value) => {
    if (number >= 1 && number <= count) found[number - 1] = Number(BigInt.asIntN(32, value));
  });
  return found;
}
