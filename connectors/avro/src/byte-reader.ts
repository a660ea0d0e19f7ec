import { DataError } from "@headrace/sdk";

/** Items without any bytes, such as empty records, that one message may have: nobody has more, and a few bytes could claim any number. */
const MAX_EMPTY_ITEMS = 1_000_000;

/** Reads Avro's primitive encodings, within bounds. Throws DataError for data that ends early or counts wrongly. */
export class ByteReader {
  #data: Buffer;
  #at: number;
  #emptyItems = 0;

  constructor(data: Buffer, at = 0) {
    this.#data = data;
    this.#at = at;
  }

  /** Goes on in other data. */
  open(data: Buffer, at: number): this {
    this.#data = data;
    this.#at = at;
    this.#emptyItems = 0;
    return this;
  }

  /** Where reading goes on. */
  get position(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#data.length - this.#at;
  }

  byte(): number {
    const value = this.#data[this.#at];
    if (value === undefined) throw endsEarly();
    this.#at += 1;
    return value;
  }

  boolean(): boolean {
    return this.byte() !== 0;
  }

  /** Zig-zag; only the low 32 bits count. */
  int(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    throw new DataError("an int has more than 5 bytes");
  }

  /** Zig-zag, 64 bits. */
  long(): bigint {
    let low = 0;
    let factor = 1;
    for (let count = 0; count < 7; count += 1) {
      const byte = this.byte();
      low += (byte & 0x7f) * factor;
      if (byte < 0x80) return BigInt(low % 2 === 0 ? low / 2 : -(low + 1) / 2);
      factor *= 0x80;
    }
    let value = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
    }
    throw new DataError("a long has more than 10 bytes");
  }

  float(): number {
    return this.#data.readFloatLE(this.#skip(4));
  }

  double(): number {
    return this.#data.readDoubleLE(this.#skip(8));
  }

  string(): string {
    const size = this.#size();
    const from = this.#skip(size);
    return this.#data.toString("utf8", from, from + size);
  }

  /** A copy. */
  bytes(): Buffer {
    return this.fixed(this.#size());
  }

  /** A copy of so many bytes. */
  fixed(size: number): Buffer {
    const from = this.#skip(size);
    return Buffer.from(this.#data.subarray(from, from + size));
  }

  /** Calls back for each item of an array's or map's blocks. */
  blocks(item: () => void): void {
    for (let count = this.#count(); count !== 0; count = this.#count()) {
      for (let index = 0; index < count; index += 1) {
        const at = this.#at;
        item();
        if (this.#at === at) this.#countEmpty();
      }
    }
  }

  #count(): number {
    const count = Number(this.long());
    if (count < 0) this.long();
    const items = Math.abs(count);
    if (items > Math.max(this.remaining, MAX_EMPTY_ITEMS)) throw endsEarly();
    return items;
  }

  #countEmpty(): void {
    this.#emptyItems += 1;
    if (this.#emptyItems > MAX_EMPTY_ITEMS) {
      throw new DataError(`the Avro data has more than ${MAX_EMPTY_ITEMS} items without bytes`);
    }
  }

  #size(): number {
    const size = Number(this.long());
    if (size < 0) throw new DataError(`a length is ${size}`);
    return size;
  }

  #skip(size: number): number {
    const from = this.#at;
    if (size > this.#data.length - from) throw endsEarly();
    this.#at = from + size;
    return from;
  }
}

function endsEarly(): DataError {
  return new DataError("the Avro data ends early");
}
