import {
  type BigDecimal,
  DataError,
  DECIMAL_NAME,
  decimalText,
  type Schema,
  scaleOf,
  toUnscaled,
  truncate,
  type Value,
  WholeDouble,
} from "@headrace/sdk";

/** Java's conversions between number types: they narrow silently, and floating-point numbers beyond the range become its ends. */

export type NumberType = "INT8" | "INT16" | "INT32" | "INT64" | "FLOAT32" | "FLOAT64";

const BITS = { INT8: 8, INT16: 16, INT32: 32, INT64: 64 } as const;

/** A number in any form that values have: whole, floating-point or decimal. Null for what is no number. */
export function asNumber(value: Value, schema: Schema | null): bigint | number | BigDecimal | null {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") {
    const whole = schema === null ? Number.isInteger(value) : schema.type !== "FLOAT32" && schema.type !== "FLOAT64";
    return whole ? BigInt(value) : value;
  }
  if (value instanceof WholeDouble) return value.value;
  if (Buffer.isBuffer(value) && schema?.name === DECIMAL_NAME) {
    return { unscaled: toUnscaled(value), scale: scaleOf(schema) };
  }
  return null;
}

/** Narrows to an integer type. */
export function toInteger(number: bigint | number | BigDecimal, type: keyof typeof BITS): bigint {
  if (typeof number === "bigint") return BigInt.asIntN(BITS[type], number);
  if (typeof number !== "number") return BigInt.asIntN(BITS[type], truncate(number));
  const bits = type === "INT64" ? 64 : 32;
  if (Number.isNaN(number)) return 0n;
  const limit = 2 ** (bits - 1);
  if (number >= limit) return BigInt.asIntN(BITS[type], BigInt(limit) - 1n);
  if (number <= -limit) return BigInt.asIntN(BITS[type], BigInt(-limit));
  return BigInt.asIntN(BITS[type], BigInt(Math.trunc(number)));
}

/** As a floating-point number. */
export function toFloat(number: bigint | number | BigDecimal): number {
  if (typeof number === "object") return Number(decimalText(bytesOf(number.unscaled), number.scale));
  return Number(number);
}

function bytesOf(unscaled: bigint): Buffer {
  const size = Math.ceil((unscaled.toString(2).length + 1) / 8);
  const hex = BigInt.asUintN(size * 8, unscaled).toString(16);
  return Buffer.from(hex.padStart(size * 2, "0"), "hex");
}

/** Parses as Java's `Long.parseLong` and its narrower fellows do; null for what these refuse. */
export function parseInteger(text: string, type: keyof typeof BITS): bigint | null {
  if (!/^[+-]?\d+$/.test(text)) return null;
  const value = BigInt(text.replace(/^\+/, ""));
  return BigInt.asIntN(BITS[type], value) === value ? value : null;
}

const FLOAT = /^[\0- ]*([+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?=[fFdD]?[\0- ]*$)))[fFdD]?[\0- ]*$/;

/** Parses as Java's `Double.parseDouble` does (without hexadecimal); null for what that refuses. */
export function parseFloating(text: string): number | null {
  const match = FLOAT.exec(text);
  if (match === null) return null;
  const number = match[1] ?? "";
  return number.endsWith("NaN") ? Number.NaN : Number(number);
}

/** Throws DataError as Cast does for text that is no number. */
export function outOfRange(text: string): DataError {
  return new DataError(`Value (${text}) was out of range for requested data type`);
}
