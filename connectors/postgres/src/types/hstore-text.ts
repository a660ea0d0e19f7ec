import { DataError } from "@headrace/sdk";

const ENTRY = /\s*"((?:[^"\\]|\\.)*)"=>(?:"((?:[^"\\]|\\.)*)"|NULL)\s*(,|$)/sy;

/** Keys and values of an hstore. Throws DataError for other texts. Source: PostgreSQL, "hstore External Representation". */
export function hstoreEntries(text: string): readonly (readonly [string, string | null])[] {
  const entries: (readonly [string, string | null])[] = [];
  for (let place = 0; place < text.length; ) {
    ENTRY.lastIndex = place;
    const match = ENTRY.exec(text);
    if (match === null) throw new DataError(`${text.slice(0, 100)} is no hstore`);
    place = ENTRY.lastIndex;
    const [, key = "", value] = match;
    entries.push([unescaped(key), value === undefined ? null : unescaped(value)]);
  }
  return entries;
}

const unescaped = (text: string): string => text.replace(/\\(.)/gs, "$1");
