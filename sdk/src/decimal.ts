import { DataError } from "./errors.ts";
import { DECIMAL_NAME, type Schema } from "./schema.ts";

/**
 * Connect's Decimal is the unscaled integer in two's complement, big-endian, as short as possible; the scale stands in the schema.
 * Source: org.apache.kafka.connect.data.Decimal, java.math.BigInteger.toByteArray, java.math.BigDecimal.
 */

/** The schema of decimals of a scale. */
export function decimalSchema(scale: number): Schema {
  return { type: "BYTES", optional: false, name: DECIMAL_NAME, version: 1, parameters: { scale: String(scale) } };
}

/** The scale of a Decimal schema. Throws DataError if it has none. */
export function scaleOf(schema: Schema): number {
  const scale = schema.parameters?.["scale"];
  if (scale === undefined) throw new DataError("Invalid Decimal schema: scale parameter not found.");
  if (!/^[+-]?\d+$/.test(scale)) throw new DataError("Invalid scale parameter found in Decimal schema: ");
  return Number(scale);
}

/** The unscaled integer. Throws DataError for no bytes at all. */
export function toUnscaled(bytes: Buffer): bigint {
  if (bytes.length === 0) throw new DataError("Invalid bytes for Decimal field");
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString("hex")}`));
}

/** The shortest two's complement form. */
export function fromUnscaled(unscaled: bigint): Buffer {
  let length = 1;
  while (BigInt.asIntN(length * 8, unscaled) !== unscaled) length += 1;
  return Buffer.from(
    BigInt.asUintN(length * 8, unscaled)
      .toString(16)
      .padStart(length * 2, "0"),
    "hex",
  );
}

/** Text as Java's `BigDecimal.toString` writes it: plain, for instance `-1.20`, or with an exponent, for instance `1E+3`. */
export function decimalText(bytes: Buffer, scale: number): string {
  const unscaled = toUnscaled(bytes);
  if (scale === 0) return String(unscaled);
  const sign = unscaled < 0n ? "-" : "";
  const digits = String(unscaled < 0n ? -unscaled : unscaled);
  const exponent = digits.length - 1 - scale;
  if (scale > 0 && exponent >= -6) {
    const padded = digits.padStart(scale + 1, "0");
    return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`;
  }
  const mantissa = digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`;
  return `${sign}${mantissa}E${exponent < 0 ? "" : "+"}${exponent}`;
}

/** A decimal number of any length. */
export interface BigDecimal {
  readonly unscaled: bigint;
  readonly scale: number;
}

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?$/;

/** Parses decimal text as Java's `new BigDecimal(text)`; null if it is none. */
export function parseBigDecimal(text: string): BigDecimal | null {
  const match = DECIMAL.exec(text);
  if (match === null) return null;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  if (whole === "" && fraction === "") return null;
  const digits = BigInt(whole + fraction);
  return { unscaled: sign === "-" ? -digits : digits, scale: fraction.length - Number(exponent) };
}

/** The number without its fraction. */
export function truncate({ unscaled, scale }: BigDecimal): bigint {
  return scale >= 0 ? unscaled / 10n ** BigInt(scale) : unscaled * 10n ** BigInt(-scale);
}

/** Decimal text, with or without exponent, as bytes of exactly this scale. Throws DataError if it needs a larger one. */
export function fromDecimalText(text: string, scale: number): Buffer {
  const decimal = parseBigDecimal(text);
  if (decimal === null) throw new DataError(`Invalid decimal ${text}`);
  const shift = scale - decimal.scale;
  if (shift >= 0) return fromUnscaled(decimal.unscaled * 10n ** BigInt(shift));
  const divisor = 10n ** BigInt(-shift);
  if (decimal.unscaled % divisor !== 0n) {
    throw new DataError(
      `Decimal value has mismatching scale for given Decimal schema. Schema has scale ${scale}, value has scale ${decimal.scale}.`,
    );
  }
  return fromUnscaled(decimal.unscaled / divisor);
}
