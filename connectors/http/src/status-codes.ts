import { ConfigError } from "@headrace/sdk";

/** Ranges of HTTP status codes, both ends included. */
export type StatusCodes = readonly (readonly [from: number, to: number])[];

/** Reads `429,500-599`. Throws ConfigError. */
export function parseStatusCodes(items: readonly string[]): StatusCodes {
  return items.map((item) => {
    const [, from = "", to = from] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(item) ?? [];
    if (from === "" || Number(to) < Number(from)) {
      throw new ConfigError(`${item} is no status code and no range of them, such as 500-599`);
    }
    return [Number(from), Number(to)];
  });
}

export const hasCode = (codes: StatusCodes, code: number): boolean => codes.some(([a, b]) => code >= a && code <= b);

/** What is wrong with a list of codes, or null. */
export function codesProblem(items: readonly string[]): string | null {
  try {
    parseStatusCodes(items);
    return null;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
}

/** Milliseconds that a `Retry-After` header asks for (seconds, or a date); null if there is none. Source: RFC 9110, 10.2.3. */
export function retryAfterMs(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}
