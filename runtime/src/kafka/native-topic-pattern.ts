import { ConnectError } from "../errors.ts";

/** Classes of java.util.regex.Pattern as they stand in a POSIX bracket expression. */
const CLASSES: Readonly<Record<string, string>> = { d: "0-9", w: "[:alnum:]_", s: "[:space:]" };
const POSIX_SPECIAL = /[\\^$.|?*+()[\]{}]/;

/**
 * Translates a Java regular expression over topic names (`topics.regex`, which must match the whole name) into librdkafka's subscription
 * pattern: `^…$`, in the POSIX extended syntax of regcomp(3).
 * Throws ConnectError `config-invalid` for what POSIX cannot express: look-around, back references, possessive quantifiers,
 * class intersections, `\p{…}`, `\b`, flags.
 */
export function toTopicPattern(regex: string): string {
  const reader = new PatternReader(regex);
  return `^(${reader.readAll()})$`;
}

class PatternReader {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  readAll(): string {
    let pattern = "";
    while (this.#at < this.#source.length) pattern += this.#readOne();
    return pattern;
  }

  #readOne(): string {
    const char = this.#take();
    switch (char) {
      case "\\":
        return this.#escape();
      case "[":
        return this.#bracket();
      case "(":
        return this.#group();
      case "*":
      case "+":
      case "?":
      case "}":
        return char + this.#quantifierEnd();
      default:
        return char;
    }
  }

  #take(): string {
    return this.#source[this.#at++] ?? "";
  }

  #skip(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #unsupported(what: string): never {
    throw new ConnectError("config-invalid", `topics.regex ${this.#source}: ${what} cannot be used here`);
  }

  /** A lazy quantifier takes the same whole names as a greedy one. */
  #quantifierEnd(): string {
    if (this.#source[this.#at] === "+") this.#unsupported("a possessive quantifier");
    this.#skip("?");
    return "";
  }

  #group(): string {
    if (this.#skip("?:")) return "(";
    if (this.#source[this.#at] !== "?") return "(";
    const name = /^\?<[A-Za-z][A-Za-z0-9]*>/.exec(this.#source.slice(this.#at));
    if (name === null) this.#unsupported("look-around or a flag");
    this.#at += name[0].length;
    return "(";
  }

  #escape(): string {
    const char = this.#take();
    if (char === "Q") return this.#quotation();
    const named = CLASSES[char.toLowerCase()];
    if (named !== undefined) return char === char.toLowerCase() ? `[${named}]` : `[^${named}]`;
    if (char === "" || /[A-Za-z0-9]/.test(char)) this.#unsupported(`\\${char}`);
    return literal(char);
  }

  /** \Q…\E */
  #quotation(): string {
    const end = this.#source.indexOf("\\E", this.#at);
    const text = this.#source.slice(this.#at, end === -1 ? undefined : end);
    this.#at = end === -1 ? this.#source.length : end + 2;
    return [...text].map(literal).join("");
  }

  /** In POSIX a backslash stands for itself in brackets, so `]`, `^` and `-` are placed where they mean themselves. */
  #bracket(): string {
    const negated = this.#skip("^") ? "^" : "";
    let closing = "";
    let members = "";
    let dash = "";
    let caret = "";
    for (let first = true; ; first = false) {
      if (this.#at >= this.#source.length) this.#unsupported("an open bracket");
      if (this.#source.startsWith("&&", this.#at)) this.#unsupported("a class intersection");
      const char = this.#take();
      if (char === "]" && !first) break;
      if (char === "[") this.#unsupported("a class within a class");
      const member = char === "\\" ? this.#bracketEscape() : char;
      const isRange = char === "-" && !first && this.#source[this.#at] !== "]";
      if (isRange) members += "-";
      else if (member === "]") closing = "]";
      else if (member === "-") dash = "-";
      else if (member === "^") caret = "^";
      else members += member;
    }
    // A lone caret must not come first.
    if (members === "" && closing === "" && dash === "" && negated === "") return "\\^";
    return members === "" && closing === "" && negated === "" && caret !== ""
      ? `[${dash}${caret}]`
      : `[${negated}${closing}${members}${caret}${dash}]`;
  }

  #bracketEscape(): string {
    const char = this.#take();
    const named = CLASSES[char];
    if (named !== undefined) return named;
    if (char === "" || /[A-Za-z0-9]/.test(char)) this.#unsupported(`\\${char} in brackets`);
    return char;
  }
}

const literal = (char: string) => (POSIX_SPECIAL.test(char) ? `\\${char}` : char);
