import { DataError } from "./errors.ts";
import { groupPlaces } from "./java-regex.ts";

type Part = string | number | { readonly group: string };

/**
 * Compiles a replacement text of java.util.regex.Matcher: `$1`, `${name}`, `\x` for a literal x. A group number takes as many digits as
 * there are groups. The function throws DataError for groups that do not exist and for text that is no replacement, as Java does when it
 * is used.
 */
export function parseReplacement(text: string, regex: RegExp): (match: RegExpExecArray) => string {
  const places = groupPlaces(regex);
  return (match) =>
    partsOf(text, places.length - 1)
      .map((part) => textOf(typeof part === "number" ? (places[part] ?? 0) : part, match))
      .join("");
}

function partsOf(text: string, groups: number): readonly Part[] {
  const parts: Part[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (character === "\\") {
      at += 1;
      if (at === text.length) throw new DataError("character to be escaped is missing");
      parts.push(text[at] ?? "");
    } else if (character === "$") {
      const named = /^\$\{([A-Za-z][A-Za-z0-9]*)\}/.exec(text.slice(at));
      if (named !== null) {
        parts.push({ group: named[1] ?? "" });
        at += named[0].length - 1;
        continue;
      }
      const { group, length } = groupNumber(text.slice(at + 1), groups);
      parts.push(group);
      at += length;
    } else parts.push(character);
  }
  return parts;
}

function groupNumber(text: string, groups: number): { readonly group: number; readonly length: number } {
  const [digits = ""] = /^\d+/.exec(text) ?? [];
  if (digits === "") throw new DataError("Illegal group reference");
  let length = 1;
  while (length < digits.length && Number(digits.slice(0, length + 1)) <= groups) length += 1;
  const group = Number(digits.slice(0, length));
  if (group > groups) throw new DataError(`No group ${group}`);
  return { group, length };
}

function textOf(part: Part, match: RegExpExecArray): string {
  if (typeof part === "string") return part;
  if (typeof part === "number") return match[part] ?? "";
  const named = match.groups;
  if (named === undefined || !Object.hasOwn(named, part.group))
    throw new DataError(`No group with name {${part.group}}`);
  return named[part.group] ?? "";
}
