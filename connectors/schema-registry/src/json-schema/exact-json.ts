import { DataError } from "@headrace/sdk";

/** A number with a fraction or an exponent that has more digits than a double, as its text. */
export class LongNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** JSON whose integers beyond 2^53 are `bigint`, and whose long decimals are {@link LongNumber}. */
export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | LongNumber
  | readonly Json[]
  | { readonly [name: string]: Json };

/** A number of so many characters is exact as a double: no more than 15 digits with a fraction, or 10^15 without. */
const SHORT = 15;

/** Parses JSON; throws DataError. */
export function parseExact(text: string, what: string): Json {
  try {
    return JSON.parse(text, (_, value: unknown, context?: { readonly source?: string }) => {
      const source = context?.source;
      if (typeof value !== "number" || source === undefined || source.length <= SHORT) return value;
      if (/^-?\d+$/.test(source)) return Number.isSafeInteger(value) ? value : BigInt(source);
      // What a double does not reach at all would be too long for any decimal.
      return Number.isFinite(value) && value !== 0 ? new LongNumber(source) : value;
    });
  } catch (cause) {
    throw new DataError(`${what} is not JSON`, { cause });
  }
}

export function isObject(json: Json | undefined): json is { readonly [name: string]: Json } {
  return typeof json === "object" && json !== null && !Array.isArray(json) && !(json instanceof LongNumber);
}
