import { DataError } from "@headrace/sdk";

/**
 * Connect's Decimal is the unscaled integer in two's complement, big-endian, as short as possible; the scale stands in the schema.
 * Source: org.apache.kafka.connect.data.Decimal, java.math.BigInteger.toByteArray.
 */

/** The unscaled integer. */
export function toUnscaled(bytes: Buffer): bigint {
  if (bytes.length === 0) throw new DataError("Invalid Decimal: zero bytes");
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

/** Plain decimal text, for instance `-1.20`. */
export function toDecimalText(bytes: Buffer, scale: number): string {
  const unscaled = toUnscaled(bytes);
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const sign = unscaled < 0n ? "-" : "";
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** Decimal text, with or without exponent, as bytes of exactly this scale. Throws DataError if it needs a larger one. */
export function fromDecimalText(text: string, scale: number): Buffer {
  const match = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) throw new DataError(`Invalid decimal ${text}`);
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  const shift = scale - fraction.length + Number(exponent);
  const digits = BigInt(whole + fraction);
  const unscaled = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  if (shift < 0 && unscaled * 10n ** BigInt(-shift) !== digits) {
    throw new DataError(`Decimal ${text} does not fit the scale ${scale} of its schema`);
  }
  return fromUnscaled(sign === "-" ? -unscaled : unscaled);
}
