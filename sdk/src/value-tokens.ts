/** Java's `String.trim`: all characters up to the blank. */
export function trimText(text: string): string {
  return text.replace(/^[\0- ]+|[\0- ]+$/g, "");
}

/** Whether nothing but blanks is in a text. */
export const isBlank = (text: string): boolean => trimText(text) === "";

const DELIMITERS = ':,{}[]"';

/**
 * The tokens of a value's text: delimiters that no backslash escapes, and what lies between them.
 * Source: org.apache.kafka.connect.data.Values.Parser.
 */
export class ValueTokens {
  readonly text: string;
  #at = 0;
  #peeked: string | null = null;

  constructor(text: string) {
    this.text = text;
  }

  /** Where the next token starts, for {@link rewind}. */
  mark(): number {
    return this.#at - (this.#peeked?.length ?? 0);
  }

  rewind(position: number): void {
    this.#at = position;
    this.#peeked = null;
  }

  hasNext(): boolean {
    return this.#peeked !== null || this.#at < this.text.length;
  }

  next(): string {
    const token = this.#peeked ?? this.#read();
    this.#peeked = null;
    return token;
  }

  /** The text of so many tokens; null, with nothing consumed, if there are fewer. */
  take(count: number): string | null {
    const start = this.mark();
    for (let taken = 0; taken < count; taken += 1) {
      if (!this.hasNext()) {
        this.rewind(start);
        return null;
      }
      this.next();
    }
    return this.text.slice(start, this.#at);
  }

  /** Consumes the next token if it is the one expected; blanks around it do not count. */
  accept(expected: string): boolean {
    if (this.#peeked === null) {
      if (this.#at >= this.text.length) return false;
      this.#peeked = this.#read();
    }
    while (isBlank(this.#peeked) && this.#at < this.text.length) this.#peeked = this.#read();
    if (trimText(this.#peeked) !== expected) return false;
    this.#peeked = null;
    return true;
  }

  #read(): string {
    const start = this.#at;
    let escaped = false;
    for (; this.#at < this.text.length; this.#at += 1) {
      const character = this.text[this.#at] ?? "";
      if (character === "\\") {
        escaped = !escaped;
        continue;
      }
      if (!escaped && DELIMITERS.includes(character)) {
        if (start === this.#at) this.#at += 1;
        return this.text.slice(start, this.#at);
      }
      escaped = false;
    }
    return this.text.slice(start);
  }
}
