/**
 * Java's regular expressions (java.util.regex.Pattern) as JavaScript's: the same syntax but for quoting, POSIX classes, possessive
 * quantifiers, inline flags and anchors, which are rewritten here. Intersections of character classes (`[a-z&&[^b]]`) work as well.
 */

/** Compiles a Java pattern that a whole text has to match, as `Matcher.matches` takes it. Throws SyntaxError. */
export function fullMatch(regex: string): RegExp {
  const { source, flags } = translate(regex);
  return new RegExp(`^(?:${source})$`, flags);
}

/** Names of groups that stand for possessive quantifiers; no name in Java has a dollar sign. */
const ATOMIC = "atomic$";

/**
 * The places in a match of the groups that a Java pattern has, in their order, group 0 first: the groups that stand for possessive
 * quantifiers are not among them.
 */
export function groupPlaces({ source }: RegExp): readonly number[] {
  const places = [0];
  let place = 0;
  let inClass = 0;
  for (let at = 0; at < source.length; at += 1) {
    const character = source[at];
    if (character === "\\") at += 1;
    else if (character === "[") inClass += 1;
    else if (character === "]") inClass -= 1;
    if (character !== "(" || inClass > 0) continue;
    const [, name] = /^\((?:\?<([^=!>][^>]*)>)?/.exec(source.slice(at)) ?? [];
    if (name === undefined && source[at + 1] === "?") continue;
    place += 1;
    if (name?.startsWith(ATOMIC) !== true) places.push(place);
  }
  return places;
}

const POSIX: Readonly<Record<string, string>> = {
  Lower: "a-z",
  Upper: "A-Z",
  ASCII: "\\x00-\\x7f",
  Alpha: "a-zA-Z",
  Digit: "0-9",
  Alnum: "a-zA-Z0-9",
  Punct: "!-\\/:-@\\[-`\\{-~",
  Graph: "!-~",
  Print: " -~",
  Blank: " \\t",
  Cntrl: "\\x00-\\x1f\\x7f",
  XDigit: "0-9a-fA-F",
  Space: " \\t\\n\\v\\f\\r",
};

const ESCAPES: Readonly<Record<string, string>> = {
  A: "(?<![\\s\\S])",
  z: "(?![\\s\\S])",
  Z: "(?=\\n?(?![\\s\\S]))",
  h: "[ \\t\\xa0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000]",
  R: "(?:\\r\\n|[\\n-\\r\\x85\\u2028\\u2029])",
  a: "\\x07",
  e: "\\x1b",
};

const RESERVED = /[\\^$.*+?()[\]{}|/]/g;
const RESERVED_IN_CLASS = /[\\^$.*+?()[\]{}|/\-&!#%,:;<=>@`~]/g;

/** Characters that `v` wants escaped within a class, and Java does not. */
const CLASS_SYNTAX = /[(){}/|]/;

function translate(regex: string): { readonly source: string; readonly flags: string } {
  const reader = new PatternReader(regex);
  const leading = /^\(\?([imsu]+)\)/.exec(regex);
  const flags = new Set(["v"]);
  if (leading !== null) {
    reader.skip(leading[0].length);
    for (const flag of leading[1] ?? "") if (flag !== "u") flags.add(flag);
  }
  const source = reader.read();
  return { source, flags: [...flags].join("") };
}

class PatternReader {
  readonly #text: string;
  readonly #offset: number;
  #at = 0;
  #groups = 0;

  /** `offset`: where the text stands in the whole pattern. */
  constructor(text: string, offset = 0) {
    this.#text = text;
    this.#offset = offset;
  }

  skip(count: number): void {
    this.#at += count;
  }

  read(): string {
    let out = "";
    let atom = "";
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at] ?? "";
      if (/[*+?{]/.test(character)) {
        out += this.#quantified(atom, character);
        atom = "";
        continue;
      }
      out += atom;
      atom = this.#atom(character);
    }
    return out + atom;
  }

  #atom(character: string): string {
    if (character === "\\") return this.#escape(false);
    if (character === "[") return this.#class();
    if (character === "(") return this.#group();
    this.#at += 1;
    return character === "}" || character === "]" ? `\\${character}` : character;
  }

  /** A group with all that is in it. */
  #group(): string {
    const start = this.#at;
    let depth = 0;
    for (let index = start; index < this.#text.length; index += 1) {
      const character = this.#text[index];
      if (character === "\\") {
        const quoted = this.#text[index + 1] === "Q" ? this.#text.indexOf("\\E", index) : -1;
        index = quoted < 0 ? index + 1 : quoted + 1;
      } else if (character === "[") index = endOfClass(this.#text, index);
      else if (character === "(") depth += 1;
      else if (character === ")") depth -= 1;
      if (depth === 0) {
        const [opening = "("] = /^\(\?(?:<[A-Za-z]\w*>|<?[=!]|[:>]|[ims-]+:)|^\(/.exec(this.#text.slice(start)) ?? [];
        const inner = new PatternReader(this.#text.slice(start + opening.length, index), this.#offset + start + 1);
        const body = inner.read();
        this.#at = index + 1;
        if (opening === "(?>") return this.#atomic(body);
        return `${opening}${body})`;
      }
    }
    throw new SyntaxError("Unclosed group");
  }

  #atomic(body: string): string {
    this.#groups += 1;
    const name = `${ATOMIC}${this.#offset + this.#at}_${this.#groups}`;
    return `(?:(?=(?<${name}>${body}))\\k<${name}>)`;
  }

  #quantified(atom: string, character: string): string {
    const [quantifier = character] = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/.exec(this.#text.slice(this.#at)) ?? [];
    this.#at += quantifier.length;
    if (this.#text[this.#at] !== "+" || quantifier.length === 0) return `${atom}${quantifier}`;
    this.#at += 1;
    return this.#atomic(`${atom}${quantifier}`);
  }

  #escape(inClass: boolean): string {
    const next = this.#text[this.#at + 1];
    if (next === undefined) throw new SyntaxError("Unexpected internal error near index");
    if (next === "Q") {
      const end = this.#text.indexOf("\\E", this.#at + 2);
      const quoted = this.#text.slice(this.#at + 2, end < 0 ? undefined : end);
      this.#at = end < 0 ? this.#text.length : end + 2;
      return quoted.replace(inClass ? RESERVED_IN_CLASS : RESERVED, "\\$&");
    }
    const property = /^\\([pP])(?:\{(\w+)\}|(\w))/.exec(this.#text.slice(this.#at));
    if (property !== null) {
      this.#at += property[0].length;
      const name = (property[2] ?? property[3] ?? "").replace(/^Is/, "");
      const negated = property[1] === "P";
      const posix = POSIX[name];
      if (posix !== undefined) return negated || !inClass ? `[${negated ? "^" : ""}${posix}]` : posix;
      return `\\${property[1]}{${name === "L1" ? "L" : name}}`;
    }
    this.#at += 2;
    const special = inClass ? undefined : ESCAPES[next];
    if (special !== undefined) return special;
    if (/[A-Za-z0-9]/.test(next)) return `\\${next}`;
    return next.replace(inClass ? RESERVED_IN_CLASS : RESERVED, "\\$&");
  }

  #class(): string {
    let out = "[";
    this.#at += 1;
    if (this.#text[this.#at] === "^") {
      out += "^";
      this.#at += 1;
    }
    for (let first = true; this.#at < this.#text.length; first = false) {
      const character = this.#text[this.#at] ?? "";
      if (character === "]" && !first) {
        this.#at += 1;
        return `${out}]`;
      }
      if (character === "\\") out += this.#escape(true);
      else if (character === "[") out += this.#class();
      else if (this.#text.startsWith("&&", this.#at)) {
        out = `[[${out.slice(1)}]&&`;
        this.#at += 2;
      } else {
        out += this.#literalInClass(character);
        this.#at += 1;
      }
    }
    throw new SyntaxError("Unclosed character class");
  }

  #literalInClass(character: string): string {
    const next = this.#text[this.#at + 1];
    const before = this.#text[this.#at - 1];
    if (character === "-" && (next === "]" || next === undefined || before === "[" || before === "^")) return "\\-";
    if (CLASS_SYNTAX.test(character)) return `\\${character}`;
    return /[&!#%,:;<=>@`~$*+.?^]/.test(character) && character === next ? `\\${character}` : character;
  }
}

function endOfClass(text: string, start: number): number {
  for (let index = start + 1; index < text.length; index += 1) {
    const character = text[index];
    if (character === "\\") index += 1;
    else if (character === "[") index = endOfClass(text, index);
    else if (character === "]" && index > start + 1) return index;
  }
  return text.length;
}
