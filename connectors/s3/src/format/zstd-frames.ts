import { DataError } from "@headrace/sdk";

const FRAME = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/**
 * The frames of a zstd stream, each to be read to its end before the next; those to be skipped are left out. Node's decompressor stops behind
 * the first frame without a word, and takes one that is cut off for whole. Throws DataError, which starts with `name`,
 * for what is none, or is cut off.
 * Source: RFC 8878, section 3.1.
 */
export async function* zstdFrames(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<AsyncIterable<Uint8Array>> {
  const input = new Input(chunks, name);
  try {
    while (!(await input.isAtEnd())) {
      const magic = (await input.peek(4)).readUInt32LE(0);
      if (magic === FRAME) yield frame(input);
      else if ((magic & ~0xf) >>> 0 === SKIPPABLE) await skip(input);
      else throw input.fault("is no zstd");
    }
  } finally {
    await input.close();
  }
}

async function* frame(input: Input): AsyncGenerator<Uint8Array> {
  const descriptor = (await input.peek(5)).readUInt8(4);
  const single = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (single ? 1 : 0) : 2 ** sizeFlag;
  yield* input.take(5 + (single ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0) + sizeBytes);
  for (let last = false; !last; ) {
    const header = (await input.peek(3)).readUIntLE(0, 3);
    last = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    if (type === RESERVED_BLOCK) throw input.fault("has a block of zstd of an unknown type");
    yield* input.take(3 + (type === RLE_BLOCK ? 1 : header >> 3));
  }
  if ((descriptor & 4) !== 0) yield* input.take(4);
}

async function skip(input: Input): Promise<void> {
  for await (const _ of input.take(8 + (await input.peek(8)).readUInt32LE(4))) {
  }
}

/** A stream of bytes, as many at a time as are asked for. */
class Input {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #data: Buffer = Buffer.alloc(0);

  readonly #name: string;

  constructor(chunks: AsyncIterable<Uint8Array>, name: string) {
    this.#chunks = chunks[Symbol.asyncIterator]();
    this.#name = name;
  }

  fault(what: string): DataError {
    return new DataError(`${this.#name} ${what}`);
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#data.length === 0) if (!(await this.#more())) return true;
    return false;
  }

  /** The next bytes, at least so many; they stay. */
  async peek(count: number): Promise<Buffer> {
    while (this.#data.length < count) if (!(await this.#more())) throw this.fault("ends in the middle of a zstd frame");
    return this.#data;
  }

  /** The next bytes, so many, in pieces. */
  async *take(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0; ) {
      if (await this.isAtEnd()) throw this.fault("ends in the middle of a zstd frame");
      const piece = this.#data.subarray(0, left);
      this.#data = this.#data.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done === true) return false;
    this.#data = this.#data.length === 0 ? Buffer.from(value) : Buffer.concat([this.#data, value]);
    return true;
  }
}
