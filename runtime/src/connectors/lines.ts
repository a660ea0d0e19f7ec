import { isAscii } from "node:buffer";

/** One line, and where the next one starts, counted in bytes from the start of the file. */
export interface Line {
  readonly text: string;
  readonly end: number;
}

const LF = 10;
const CR = 13;
/**
 * Bytes that become one string to search and slice. V8 keeps larger ones in pages of their own, which it maps and gives back one by one:
 * that costs more than the copying.
 */
const WINDOW_BYTES = 1 << 16;
/** A buffer that one huge line blew up beyond this is not kept. */
const KEPT_BYTES = 1 << 20;

/**
 * Cuts a stream of bytes into lines at `\n`, `\r\n` and `\r`, with byte-exact positions. A `\r` at the end waits for the next byte; a
 * last line without terminator waits for ever.
 */
export class LineCutter {
  /** Holds the bytes that are not given out yet, from `#cursor` to `#end`; used again and again, since lines are copies. */
  #bytes: Buffer = Buffer.alloc(0);
  #cursor = 0;
  #end = 0;
  /** The bytes from here to `#windowEnd` are searched; no line before `#cursor` is left in them. */
  #windowStart = 0;
  #windowEnd = 0;
  /** The window as a string if it is plain ASCII, where characters and bytes count alike; otherwise the window is all there is. */
  #text: string | null = null;
  #position: number;
  /** Next CR at or after the cursor in the window; Infinity for none, -1 for not searched yet. */
  #nextReturn = -1;

  /** `position` is where the stream starts in the file. */
  constructor(position: number) {
    this.#position = position;
  }

  /** Adds bytes behind those it has; the buffer may be reused afterwards. */
  push(bytes: Buffer): void {
    const left = this.#end - this.#cursor;
    const needed = left + bytes.length;
    const large = this.#bytes.length > KEPT_BYTES && needed <= KEPT_BYTES;
    if (needed > this.#bytes.length || large) {
      const other = Buffer.allocUnsafeSlow(large ? needed : 2 * needed);
      this.#bytes.copy(other, 0, this.#cursor, this.#end);
      this.#bytes = other;
    } else {
      this.#bytes.copyWithin(0, this.#cursor, this.#end);
    }
    bytes.copy(this.#bytes, left);
    this.#cursor = 0;
    this.#end = needed;
    this.#open(WINDOW_BYTES);
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
    for (;;) {
      const line = this.#nextInWindow();
      if (line !== null || this.#windowEnd === this.#end) return line;
      const isOneLine = this.#windowStart === this.#cursor;
      this.#open(isOneLine ? 2 * (this.#windowEnd - this.#windowStart) : WINDOW_BYTES);
    }
  }

  /** The window starts at the cursor now. */
  #open(size: number): void {
    this.#windowStart = this.#cursor;
    this.#windowEnd = Math.min(this.#end, this.#cursor + size);
    this.#nextReturn = -1;
    const window = this.#bytes.subarray(this.#windowStart, this.#windowEnd);
    this.#text = isAscii(window) ? window.toString("latin1") : null;
    if (this.#text === null) this.#windowEnd = this.#end;
  }

  #nextInWindow(): Line | null {
    const start = this.#cursor;
    const found = this.#find(LF, start);
    const feed = found < 0 ? Number.POSITIVE_INFINITY : found;
    if (this.#nextReturn < start) this.#nextReturn = this.#findReturn(start);
    if (this.#nextReturn < feed) {
      const after = this.#nextReturn + 1;
      if (after >= this.#end) return null;
      return this.#cut(start, this.#nextReturn, this.#bytes[after] === LF ? after + 1 : after);
    }
    return found < 0 ? null : this.#cut(start, found, found + 1);
  }

  #findReturn(from: number): number {
    const found = this.#find(CR, from);
    return found < 0 ? Number.POSITIVE_INFINITY : found;
  }

  /** Where the byte is in the window; -1 if it is not. */
  #find(byte: typeof LF | typeof CR, from: number): number {
    if (this.#text === null) {
      const found = this.#bytes.indexOf(byte, from);
      return found < this.#end ? found : -1;
    }
    const found = this.#text.indexOf(byte === LF ? "\n" : "\r", from - this.#windowStart);
    return found < 0 ? -1 : found + this.#windowStart;
  }

  #cut(start: number, stop: number, next: number): Line {
    const text =
      this.#text === null
        ? this.#bytes.toString("utf8", start, stop)
        : this.#text.slice(start - this.#windowStart, stop - this.#windowStart);
    this.#cursor = next;
    this.#position += next - start;
    return { text, end: this.#position };
  }
}
