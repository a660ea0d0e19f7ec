import { isAscii } from "node:buffer";

/** One line, and where the next one starts, counted in bytes from the start of the file. */
export interface Line {
  readonly text: string;
  readonly end: number;
}

const LF = 10;
const CR = 13;

/**
 * Cuts a stream of bytes into lines at `\n`, `\r\n` and `\r`, with byte-exact positions. A `\r` at the end waits for the next byte; a
 * last line without terminator waits for ever.
 */
export class LineCutter {
  /** Bytes not given out yet. */
  #rest: Buffer = Buffer.alloc(0);
  /** Set while the rest is plain ASCII, where characters and bytes count alike. */
  #text: string | null = null;
  #cursor = 0;
  #position: number;
  /** Next CR at or after the cursor; Infinity for none, -1 for not searched yet. */
  #nextReturn = -1;

  /** `position` is where the stream starts in the file. */
  constructor(position: number) {
    this.#position = position;
  }

  /** Adds bytes behind those it has; the buffer may be reused afterwards. */
  push(bytes: Buffer): void {
    const left = this.#rest.subarray(this.#cursor);
    this.#rest = left.length === 0 ? Buffer.from(bytes) : Buffer.concat([left, bytes]);
    this.#cursor = 0;
    this.#nextReturn = -1;
    this.#text = isAscii(this.#rest) ? this.#rest.toString("latin1") : null;
  }

  /** Appends complete lines to `lines` until it has `limit` of them or nothing complete is left. */
  take(lines: Line[], limit: number): void {
    while (lines.length < limit) {
      const line = this.#next();
      if (line === null) return;
      lines.push(line);
    }
  }

  #next(): Line | null {
    const start = this.#cursor;
    const found = this.#find(LF, start);
    const feed = found < 0 ? Number.POSITIVE_INFINITY : found;
    if (this.#nextReturn < start) this.#nextReturn = this.#findReturn(start);
    if (this.#nextReturn < feed) {
      const after = this.#nextReturn + 1;
      if (after >= this.#rest.length) return null;
      return this.#cut(start, this.#nextReturn, this.#rest[after] === LF ? after + 1 : after);
    }
    return found < 0 ? null : this.#cut(start, found, found + 1);
  }

  #findReturn(from: number): number {
    const found = this.#find(CR, from);
    return found < 0 ? Number.POSITIVE_INFINITY : found;
  }

  #find(byte: typeof LF | typeof CR, from: number): number {
    if (this.#text === null) return this.#rest.indexOf(byte, from);
    return this.#text.indexOf(byte === LF ? "\n" : "\r", from);
  }

  #cut(start: number, stop: number, next: number): Line {
    const text = this.#text === null ? this.#rest.toString("utf8", start, stop) : this.#text.slice(start, stop);
    this.#cursor = next;
    this.#position += next - start;
    return { text, end: this.#position };
  }
}
