/** Kafka's primitive types as the Connect group protocol uses them: big-endian, STRING = INT16 length + UTF-8, BYTES and ARRAY with INT32 length, -1 = null. */

/** Appends primitives and gives their bytes. */
export class WireWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    const part = Buffer.alloc(1);
    part.writeInt8(value);
    return this.#add(part);
  }

  int16(value: number): this {
    const part = Buffer.alloc(2);
    part.writeInt16BE(value);
    return this.#add(part);
  }

  int32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeInt32BE(value);
    return this.#add(part);
  }

  int64(value: bigint): this {
    const part = Buffer.alloc(8);
    part.writeBigInt64BE(value);
    return this.#add(part);
  }

  string(value: string): this {
    const bytes = Buffer.from(value);
    return this.int16(bytes.length).#add(bytes);
  }

  nullableBytes(value: Buffer | null): this {
    return value === null ? this.int32(-1) : this.int32(value.length).#add(value);
  }

  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #add(part: Buffer): this {
    this.#parts.push(part);
    return this;
  }
}

/** Reads primitives from the start of `bytes`; a read past the end throws a RangeError. */
export class WireReader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  int8(): number {
    return this.#take(1).readInt8();
  }

  int16(): number {
    return this.#take(2).readInt16BE();
  }

  int32(): number {
    return this.#take(4).readInt32BE();
  }

  int64(): bigint {
    return this.#take(8).readBigInt64BE();
  }

  string(): string {
    return this.#take(this.int16()).toString("utf8");
  }

  nullableBytes(): Buffer | null {
    const length = this.int32();
    return length < 0 ? null : this.#take(length);
  }

  /** A null array reads as an empty one. */
  array<T>(read: () => T): T[] {
    const count = this.int32();
    const items: T[] = [];
    for (let index = 0; index < count; index++) items.push(read());
    return items;
  }

  #take(length: number): Buffer {
    if (length < 0 || length > this.remaining) {
      throw new RangeError(`${length} bytes wanted at ${this.#position}, ${this.remaining} are left`);
    }
    this.#position += length;
    return this.#bytes.subarray(this.#position - length, this.#position);
  }
}
