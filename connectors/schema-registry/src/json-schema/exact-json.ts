import { exactInteger, JsonDecimal, type Json as JsonOf, parseExactJson } from "@headrace/sdk";

/** JSON whose integers beyond 2^53 are `bigint`, and whose decimals with more digits than a double are {@link JsonDecimal}. */
export type Json = JsonOf<number | bigint | JsonDecimal>;

/** A number of so many characters is exact as a double: no more than 15 digits with a fraction, or 10^15 without. */
const SHORT = 15;

/** Parses JSON; throws DataError. */
export function parseExact(text: string, what: string): Json {
  return parseExactJson(text, what, (source, value) => {
    if (source.length <= SHORT) return value;
    const integer = exactInteger(source, value);
    if (integer !== null) return integer;
    // What a double does not reach at all would be too long for any decimal.
    return Number.isFinite(value) && value !== 0 ? new JsonDecimal(source) : value;
  });
}

export function isObject(json: Json | undefined): json is { readonly [name: string]: Json } {
  return typeof json === "object" && json !== null && !Array.isArray(json) && !(json instanceof JsonDecimal);
}
