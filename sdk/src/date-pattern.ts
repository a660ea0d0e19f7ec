const LETTERS = [
  "G",
  "y",
  "Y",
  "M",
  "L",
  "w",
  "W",
  "D",
  "d",
  "F",
  "E",
  "u",
  "a",
  "H",
  "k",
  "K",
  "h",
  "m",
  "s",
  "S",
  "z",
  "Z",
  "X",
] as const;

export type DateLetter = (typeof LETTERS)[number];

export type DateToken =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "field"; readonly letter: DateLetter; readonly count: number };

export interface DateTokens {
  readonly tokens: readonly DateToken[];
}

/** Takes a pattern of java.text.SimpleDateFormat apart: runs of letters are fields, the rest and what single quotes hold is text. */
export function tokenizeDatePattern(pattern: string): DateTokens | { readonly fault: string } {
  const tokens: DateToken[] = [];
  let text = "";
  const flush = () => {
    if (text !== "") tokens.push({ kind: "text", text });
    text = "";
  };
  for (let at = 0; at < pattern.length; ) {
    const character = pattern[at] ?? "";
    if (character === "'") {
      const quoted = readQuoted(pattern, at);
      if (quoted === null) return { fault: "Unterminated quote" };
      text += quoted.text;
      at = quoted.next;
    } else if (/[A-Za-z]/.test(character)) {
      const letter = LETTERS.find((each) => each === character);
      if (letter === undefined) return { fault: `Illegal pattern character '${character}'` };
      let end = at;
      while (pattern[end] === character) end += 1;
      if (letter === "X" && end - at > 3) return { fault: "invalid ISO 8601 format: length=4" };
      flush();
      tokens.push({ kind: "field", letter, count: end - at });
      at = end;
    } else {
      text += character;
      at += 1;
    }
  }
  flush();
  return { tokens };
}

/** Two quotes in a row are one, inside quotes as well. */
function readQuoted(pattern: string, open: number): { readonly text: string; readonly next: number } | null {
  if (pattern[open + 1] === "'") return { text: "'", next: open + 2 };
  let text = "";
  for (let at = open + 1; at < pattern.length; at += 1) {
    if (pattern[at] !== "'") text += pattern[at];
    else if (pattern[at + 1] === "'") {
      text += "'";
      at += 1;
    } else return { text, next: at + 1 };
  }
  return null;
}
