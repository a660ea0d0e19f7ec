import { exactInteger, type Json, parseExactJson } from "@headrace/sdk";

/** Parses JSON as schemaless data: integers keep all their digits, beyond 2^53 as `bigint`; other numbers are doubles. Throws DataError. */
export const parseJson = (text: string, what: string): Json<number | bigint> =>
  parseExactJson(text, what, (source, value) => exactInteger(source, value) ?? value);

/** What lies at a path of field names in a value; undefined if there is nothing. */
export function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (found === null || typeof found !== "object") return undefined;
    found = found instanceof Map ? found.get(name) : new Map(Object.entries(found)).get(name);
  }
  return found;
}

/** `a.b` as field names; the empty text is the value itself. */
export const pathOf = (text: string): readonly string[] => (text === "" ? [] : text.split("."));
