/** A JSON value with 64-bit integers kept: `bigint` where a number would lose digits. */
export type JsonValue = null | boolean | number | bigint | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Only texts with so many digits in a row can hold an integer that a number cannot. */
const MANY_DIGITS = /\d{16}/;
const INTEGER = /^-?\d+$/;

declare global {
  interface JSON {
    /** In Node 24, not yet in TypeScript's library: a piece of JSON text that `stringify` takes as it is. */
    rawJSON(text: string): object;
  }
}

/** Parses JSON; integers beyond 2^53 become `bigint`. Throws SyntaxError. */
export function parseJson(text: string): JsonValue {
  if (!MANY_DIGITS.test(text)) return JSON.parse(text);
  return JSON.parse(text, keepIntegers);
}

function keepIntegers(this: unknown, _key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== "number" || source === undefined) return value;
  return Number.isSafeInteger(value) || !INTEGER.test(source) ? value : BigInt(source);
}

/** Writes compact JSON; `bigint` as an integer. */
export function toJson(value: JsonValue): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === "bigint" ? JSON.rawJSON(member.toString()) : member,
  );
}

/** A JSON object, as opposed to null, an array or a scalar. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
