import { isUtf8 } from "node:buffer";
import { DataError } from "../errors.ts";
import { exactInteger, type Json, JsonDecimal, numberReviver } from "../exact-json.ts";
import { WholeDouble } from "../whole-double.ts";

/** Parsed JSON; numbers that a `number` cannot hold, or not as they were written, have a form of their own. */
export type JsonNode = Json<number | bigint | WholeDouble | JsonDecimal>;

/** What numbers have to keep beyond their value: `whole` that 10.0 is no integer, `exact` all their digits. */
export type NumberMode = "whole" | "exact" | "value";

/** Sixteen digits in a row, or two of an exponent: only then can a whole number have lost precision. */
const LONG_NUMBER = /\d{16}|\d[eE]\+?\d\d/;

/** A number that is written as a fraction but may be whole, with the syntax around it. */
const WHOLE_FRACTION = /(?:^|[[:,])\s*-?\d+(?:\.\d+[eE]|[eE]|\.0+\s*(?:[,}\]]|$))/;

const FRACTION = /\d[.eE]/;

const FAILED = "Converting byte[] to Kafka Connect data failed due to serialization error: ";

/** The text of a payload. Throws DataError for bytes that are no UTF-8. */
export function jsonTextOf(payload: Buffer, start = 0, end = payload.length): string {
  const text = payload.toString("utf8", start, end);
  if (text.includes("\ufffd") && !isUtf8(payload)) {
    throw new DataError(FAILED, { cause: new Error("the bytes are not UTF-8") });
  }
  return text;
}

/** Parses JSON. Leading zeros of numbers are tolerated. Throws DataError. */
export function parseConnectJson(text: string, mode: NumberMode): JsonNode {
  const revive = needsReviver(text, mode) ? reviverOf(mode) : undefined;
  try {
    return JSON.parse(text, revive);
  } catch (cause) {
    const lenient = dropLeadingZeros(text);
    if (lenient === text) throw new DataError(FAILED, { cause });
    try {
      return JSON.parse(lenient, revive);
    } catch {
      throw new DataError(FAILED, { cause });
    }
  }
}

function needsReviver(text: string, mode: NumberMode): boolean {
  if (LONG_NUMBER.test(text)) return true;
  if (mode === "whole") return WHOLE_FRACTION.test(text);
  return mode === "exact" && FRACTION.test(text);
}

function reviverOf(mode: NumberMode) {
  return numberReviver((source, value) => {
    const integer = exactInteger(source, value);
    if (integer !== null) return integer;
    if (mode === "exact" || (mode === "value" && Math.abs(value) > Number.MAX_SAFE_INTEGER))
      return new JsonDecimal(source);
    return mode === "whole" && Number.isInteger(value) ? new WholeDouble(value) : value;
  });
}

function dropLeadingZeros(text: string): string {
  const bare = text.replace(/^\ufeff/, "");
  return bare.replace(/"(?:[^"\\]|\\.)*"|(?<![\d.eE+])0+(?=\d)/gs, (found) => (found.startsWith('"') ? found : ""));
}
