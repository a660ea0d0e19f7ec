import { DataError } from "@headrace/sdk";

/** The items of an array; null for NULL. */
export type ArrayText = readonly (string | null | ArrayText)[];

const ITEM = /"((?:[^"\\]|\\.)*)"|((?:[^"\\,{}]|\\.)+)/sy;

/**
 * Reads the text form of an array, of any number of dimensions. Throws DataError for other texts.
 * Source: PostgreSQL, "Array Input and Output Syntax".
 */
export function parseArray(text: string): ArrayText {
  // Bounds, as in [2:3]={1,2}, say where an index starts; items are the same.
  const start = text.startsWith("[") ? text.indexOf("=") + 1 : 0;
  let place = start;
  const fail = () => new DataError(`${text.slice(0, 100)} is no array`);

  function items(): ArrayText {
    if (text[place] !== "{") throw fail();
    place += 1;
    const found: (string | null | ArrayText)[] = [];
    if (text[place] === "}") {
      place += 1;
      return found;
    }
    for (;;) {
      found.push(text[place] === "{" ? items() : item());
      const next = text[place];
      place += 1;
      if (next === "}") return found;
      if (next !== ",") throw fail();
    }
  }

  function item(): string | null {
    ITEM.lastIndex = place;
    const match = ITEM.exec(text);
    if (match === null) throw fail();
    place = ITEM.lastIndex;
    const [, quoted, bare] = match;
    if (quoted !== undefined) return quoted.replace(/\\(.)/gs, "$1");
    return bare === "NULL" ? null : (bare ?? "").replace(/\\(.)/gs, "$1");
  }

  const all = items();
  if (place !== text.length) throw fail();
  return all;
}

/** The items of an array of one dimension, decoded; NULL stays null. Throws DataError for more dimensions, which Connect does not have. */
export function decodeItems<T>(text: string, decode: (item: string) => T): readonly (T | null)[] {
  return parseArray(text).map((item) => {
    if (item === null) return null;
    if (typeof item !== "string") throw new DataError("an array of several dimensions has no counterpart in Connect");
    return decode(item);
  });
}
