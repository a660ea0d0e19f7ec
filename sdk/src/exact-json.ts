import { DataError } from "./errors.ts";

/** JSON whose numbers have a form of the caller's. */
export type Json<N> = null | boolean | string | N | readonly Json<N>[] | { readonly [name: string]: Json<N> };

/** A number with a fraction or an exponent, as it was written. */
export class JsonDecimal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** What a number becomes: of its text, and of the double that is nearest to it. */
export type ToNumber<N> = (source: string, value: number) => N;

/** Parses JSON without losing a digit of its numbers. Throws DataError: `what` is not JSON. */
export function parseExactJson<N>(text: string, what: string, toNumber: ToNumber<N>): Json<N> {
  try {
    return JSON.parse(text, numberReviver(toNumber));
  } catch (cause) {
    throw new DataError(`${what} is not JSON`, { cause });
  }
}

/** A reviver for `JSON.parse`; its third argument, the source text, is newer than TypeScript's library. */
export function numberReviver(toNumber: ToNumber<unknown>) {
  return (_key: string, value: unknown, ...context: { source?: string }[]): unknown =>
    typeof value === "number" ? toNumber(context[0]?.source ?? String(value), value) : value;
}

const INTEGER = /^-?\d+$/;

/** An integer exactly, as `bigint` beyond 2^53; null for a number with a fraction or an exponent. */
export function exactInteger(source: string, value: number): number | bigint | null {
  if (!INTEGER.test(source)) return null;
  return Number.isSafeInteger(value) ? value : BigInt(source);
}
