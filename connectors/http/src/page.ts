import { DataError, type Value } from "@headrace/sdk";
import { at, parseJson } from "./json.ts";
import type { Answer } from "./request.ts";

/** One answer, taken apart. */
export interface Page {
  readonly items: readonly Item[];
  readonly etag: string | null;
  /** The cursor, or the URL, of the next page; null: there is none yet. */
  readonly next: string | null;
}

interface Item {
  readonly key?: Value;
  readonly value: Value;
  /** Where pages go by the records' own cursors. */
  readonly cursor: string | null;
}

export interface PageRules {
  readonly url: string;
  readonly pagination: "none" | "cursor" | "record" | "link";
  readonly recordsPath: readonly string[];
  readonly cursorPath: readonly string[];
  /** null: records have no keys. */
  readonly keyPath: readonly string[] | null;
}

/** Takes an answer apart. Throws DataError if it is not what the rules say. */
export function readPage(answer: Pick<Answer, "text" | "headers">, rules: PageRules): Page {
  const body = parseJson(answer.text, "the answer");
  const found = at(body, rules.recordsPath);
  if (found === undefined || found === null) {
    throw new DataError(`the answer has nothing at http.response.records.path (${rules.recordsPath.join(".")})`);
  }
  const list: readonly unknown[] = Array.isArray(found) ? found : [found];
  const items = list.map((item): Item => {
    const cursor = rules.pagination === "record" ? textOf(at(item, rules.cursorPath)) : null;
    if (rules.pagination === "record" && cursor === null) {
      throw new DataError(`a record has nothing at http.cursor.path (${rules.cursorPath.join(".")})`);
    }
    const key = rules.keyPath === null ? undefined : at(item, rules.keyPath);
    return { value: toValue(item), cursor, ...(key !== undefined && { key: toValue(key) }) };
  });
  return { items, etag: answer.headers.get("etag"), next: nextOf(body, answer.headers, rules) };
}

function nextOf(body: unknown, headers: Headers, rules: PageRules): string | null {
  if (rules.pagination === "cursor") return textOf(at(body, rules.cursorPath));
  return rules.pagination === "link" ? nextLink(headers.get("link"), rules.url) : null;
}

/** The target of `rel="next"`, absolute. Source: RFC 8288. A link to another server is refused: it would get the credentials. */
export function nextLink(header: string | null, base: string): string | null {
  for (const [, target = "", parameters = ""] of (header ?? "").matchAll(/<([^>]*)>((?:\s*;[^,]*)*)/g)) {
    if (!/;\s*rel\s*=\s*"?[^"]*\bnext\b/i.test(parameters)) continue;
    const url = URL.parse(target, base);
    if (url === null || url.origin !== new URL(base).origin) throw new DataError("the next page is on another server");
    return url.href;
  }
  return null;
}

function textOf(found: unknown): string | null {
  if (typeof found === "string") return found === "" ? null : found;
  return typeof found === "number" || typeof found === "bigint" || typeof found === "boolean" ? String(found) : null;
}

/** Decoder: parsed JSON is schemaless data. */
const toValue = (found: unknown): Value => found as Value;
