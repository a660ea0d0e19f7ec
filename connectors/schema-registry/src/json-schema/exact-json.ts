import { DataError } from "@headrace/sdk";

/** JSON whose integers beyond 2^53 are `bigint`. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [name: string]: Json };

/** Parses JSON; throws DataError. */
export function parseExact(text: string, what: string): Json {
  try {
    return JSON.parse(text, (_, value: unknown, context?: { readonly source?: string }) => {
      const source = context?.source;
      const large =
        typeof value === "number" && !Number.isSafeInteger(value) && source !== undefined && /^-?\d+$/.test(source);
      return large ? BigInt(source) : value;
    });
  } catch (cause) {
    throw new DataError(`${what} is not JSON`, { cause });
  }
}

export function isObject(json: Json | undefined): json is { readonly [name: string]: Json } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
