import { decimalSchema, fromUnscaled, parseBigDecimal, truncate } from "./decimal.ts";
import { FLOAT32_SCHEMA, FLOAT64_SCHEMA, INT8_SCHEMA, INT16_SCHEMA, INT32_SCHEMA, INT64_SCHEMA } from "./schema.ts";
import type { Parsed } from "./value-alignment.ts";

const INTEGERS = [
  { schema: INT8_SCHEMA, bits: 8 },
  { schema: INT16_SCHEMA, bits: 16 },
  { schema: INT32_SCHEMA, bits: 32 },
  { schema: INT64_SCHEMA, bits: 64 },
];

/**
 * A number in the smallest type that fits; null for what is none. Whole numbers are integers however they are written (`1.0`, `1e3`);
 * fractions are FLOAT32 if that does not overflow, whatever precision is lost. Source: Values.parseAsNumber.
 */
export function parseNumberText(text: string): Parsed | null {
  const decimal = parseBigDecimal(text);
  if (decimal === null) return null;
  const { unscaled, scale } = decimal;
  const digits = String(unscaled < 0n ? -unscaled : unscaled);
  const exponent = digits.length - 1 - scale;
  if (unscaled === 0n) return { schema: INT8_SCHEMA, value: 0 };
  if (exponent >= 0 && exponent <= 19 && (scale <= 0 || unscaled % 10n ** BigInt(scale) === 0n)) {
    const integer = truncate(decimal);
    const fitting = INTEGERS.find(({ bits }) => BigInt.asIntN(bits, integer) === integer);
    if (fitting !== undefined)
      return { schema: fitting.schema, value: fitting.bits === 64 ? integer : Number(integer) };
  }
  const value = Number(text);
  if (scale !== 0 && Number.isFinite(Math.fround(value))) return { schema: FLOAT32_SCHEMA, value: Math.fround(value) };
  if (scale !== 0 && Number.isFinite(value)) return { schema: FLOAT64_SCHEMA, value };
  return { schema: decimalSchema(scale), value: fromUnscaled(unscaled) };
}
