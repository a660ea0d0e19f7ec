import { isUtf8 } from "node:buffer";
import { type SchemaAndValue, STRING_SCHEMA, Utf8Text } from "@headrace/sdk";

/** Makes something of a line; `end` is where the next one starts, counted in bytes from the start of the file. */
export type FromLine<T> = (text: SchemaAndValue, end: number) => T;

const LF = 10;
const CR = 13;
/** Bytes that are read at a time, at most. */
const READ_BYTES = 256 * 1024;
/** Room in a block before what is read ahead, for the start of the line that its first bytes end. */
const HEAD_BYTES = 16 * 1024;
const BLOCK_BYTES = HEAD_BYTES + READ_BYTES;
/** With less room than this, what is left of a block is not read into. */
const LEAST_ROOM = BLOCK_BYTES / 4;
/** Blocks that wait for being used again, at most. */
const MAX_FREE = 16;

/** How many lines point into a block. */
interface Block {
  readonly bytes: Buffer;
  lines: number;
}

/**
 * Cuts a stream of bytes into lines at `\n`, `\r\n` and `\r`, with byte-exact positions. A `\r` at the end waits for the next byte; a
 * last line without terminator waits for ever. Lines are not copied: they point into the blocks that were read. A block is used again
 * once all lines in it were released; otherwise it goes with the last of them.
 */
export class LineCutter<T> {
  /** What was read last, from the start of an unfinished line on. */
  #block: Block = { bytes: Buffer.alloc(0), lines: 0 };
  /** Bytes of the block that were read. */
  #end = 0;
  /** These bytes; all lines of one read share the view. */
  #bytes: Buffer = this.#block.bytes;
  #cursor = 0;
  /** Up to here the bytes are valid UTF-8. */
  #validEnd = 0;
  #position: number;
  /** The first LF and CR at or after the cursor; Infinity for none. */
  #nextFeed = Number.POSITIVE_INFINITY;
  #nextReturn = Number.POSITIVE_INFINITY;
  /** Blocks of {@link BLOCK_BYTES}, by the memory that lines point into. */
  readonly #blocks = new WeakMap<ArrayBufferLike, Block>();
  readonly #free: Block[] = [];
  /** What is being read into while lines of the last one are taken. */
  #ahead: Block | null = null;

  readonly #from: FromLine<T>;

  /** `position` is where the stream starts in the file. */
  constructor(position: number, from: FromLine<T>) {
    this.#position = position;
    this.#from = from;
  }

  /** Room for the bytes that come next, at least one; valid until the next call. */
  room(): Buffer {
    const { length } = this.#block.bytes;
    const outgrown = length > BLOCK_BYTES && this.#end - this.#cursor <= BLOCK_BYTES / 2;
    if (outgrown || length - this.#end < LEAST_ROOM) this.#openBlock();
    return this.#block.bytes.subarray(this.#end, this.#end + READ_BYTES);
  }

  /** As {@link room}, but lines may be taken while it is filled; {@link filledAhead} has to be next. */
  roomAhead(): Buffer {
    this.#ahead ??= this.#takeBlock();
    return this.#ahead.bytes.subarray(HEAD_BYTES);
  }

  /** Keeps no blocks for later: more is not to be expected soon. */
  shrink(): void {
    this.#free.length = 0;
  }

  /** The first `count` bytes of the room ahead are the next ones of the stream. */
  filledAhead(count: number): void {
    const ahead = this.#ahead;
    if (ahead === null) throw new Error("nothing was read ahead");
    this.#ahead = null;
    const left = this.#end - this.#cursor;
    if (left <= HEAD_BYTES) this.#moveTo(ahead, HEAD_BYTES - left);
    else {
      // As in a new block of a long line: what there is of it is copied a few times only.
      if (this.#block.bytes.length - this.#end < count)
        this.#moveTo({ bytes: Buffer.allocUnsafeSlow(2 * left + READ_BYTES), lines: 0 }, 0);
      ahead.bytes.copy(this.#block.bytes, this.#end, HEAD_BYTES, HEAD_BYTES + count);
      this.#reuse(ahead);
    }
    this.filled(count);
  }

  /** The first `count` bytes of the room are the next ones of the stream. */
  filled(count: number): void {
    const before = this.#end;
    this.#end += count;
    this.#bytes = this.#block.bytes.subarray(0, this.#end);
    if (this.#nextFeed === Number.POSITIVE_INFINITY) this.#nextFeed = this.#find(LF, before);
    if (this.#nextReturn === Number.POSITIVE_INFINITY) this.#nextReturn = this.#find(CR, before);
    this.#validEnd = this.#cursor;
    if (this.#nextFeed === Number.POSITIVE_INFINITY) return;
    // A character may be cut at the end; what stands before a line feed is whole.
    const lastFeed = this.#bytes.lastIndexOf(LF);
    if (isUtf8(this.#bytes.subarray(this.#cursor, lastFeed))) this.#validEnd = lastFeed;
  }

  /** Appends what is made of complete lines to `out` until it has `limit` entries or nothing complete is left. */
  take(out: T[], limit: number): void {
    while (out.length < limit) {
      const line = this.#next();
      if (line === null) return;
      out.push(line);
    }
  }

  /** Nobody looks at the lines in these records any more; each is released once at most. */
  release(records: readonly { readonly value: SchemaAndValue }[]): void {
    let bytes: Buffer | null = null;
    let block: Block | undefined;
    for (const { value } of records) {
      if (!(value instanceof Utf8Text)) continue;
      if (value.bytes !== bytes) {
        if (block !== undefined) this.#reuse(block);
        bytes = value.bytes;
        block = this.#blocks.get(bytes.buffer);
      }
      if (block === undefined) continue;
      if (block.lines === 0) throw new Error("a line was released twice");
      block.lines -= 1;
    }
    if (block !== undefined) this.#reuse(block);
  }

  /** A new block begins with what is not cut yet. */
  #openBlock(): void {
    const left = this.#end - this.#cursor;
    // As much again as a line has already: one that comes in many pieces is copied a few times only.
    this.#moveTo(
      left <= BLOCK_BYTES / 2 ? this.#takeBlock() : { bytes: Buffer.allocUnsafeSlow(2 * left), lines: 0 },
      0,
    );
  }

  /** Goes on in another block, which has what is not cut yet from `start` on. */
  #moveTo(block: Block, start: number): void {
    const former = this.#block;
    const [from, to] = [this.#cursor, this.#end];
    former.bytes.copy(block.bytes, start, from, to);
    this.#block = block;
    this.#reuse(former);
    this.#nextFeed += start - from;
    this.#nextReturn += start - from;
    this.#cursor = start;
    this.#end = start + to - from;
    this.#validEnd = start;
    this.#bytes = block.bytes.subarray(0, this.#end);
  }

  #takeBlock(): Block {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const block = { bytes: Buffer.allocUnsafeSlow(BLOCK_BYTES), lines: 0 };
    this.#blocks.set(block.bytes.buffer, block);
    return block;
  }

  #reuse(block: Block): void {
    if (block.lines > 0 || block === this.#block || block.bytes.length !== BLOCK_BYTES) return;
    if (this.#free.length < MAX_FREE) this.#free.push(block);
  }

  #next(): T | null {
    const start = this.#cursor;
    if (this.#nextFeed < start) this.#nextFeed = this.#find(LF, start);
    if (this.#nextReturn < start) this.#nextReturn = this.#find(CR, start);
    const feed = this.#nextFeed;
    const carriageReturn = this.#nextReturn;
    if (carriageReturn < feed) {
      const after = carriageReturn + 1;
      if (after >= this.#end) return null;
      return this.#cut(start, carriageReturn, this.#bytes[after] === LF ? after + 1 : after);
    }
    return feed === Number.POSITIVE_INFINITY ? null : this.#cut(start, feed, feed + 1);
  }

  #find(byte: typeof LF | typeof CR, from: number): number {
    const found = this.#bytes.indexOf(byte, from);
    return found < 0 ? Number.POSITIVE_INFINITY : found;
  }

  #cut(start: number, stop: number, next: number): T {
    this.#cursor = next;
    this.#position += next - start;
    if (stop > this.#validEnd) {
      // Malformed bytes become replacement characters, as in Java.
      const value = this.#bytes.toString("utf8", start, stop);
      return this.#from({ schema: STRING_SCHEMA, value }, this.#position);
    }
    this.#block.lines += 1;
    return this.#from(new Utf8Text(STRING_SCHEMA, this.#bytes, start, stop), this.#position);
  }
}
