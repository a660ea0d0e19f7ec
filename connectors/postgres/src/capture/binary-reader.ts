/** Reads big-endian values one after the other. Throws RangeError behind the end. */
export class BinaryReader {
  readonly #data: Buffer;
  #place = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  uint8(): number {
    return this.#data.readUInt8(this.#advance(1));
  }

  uint16(): number {
    return this.#data.readUInt16BE(this.#advance(2));
  }

  uint32(): number {
    return this.#data.readUInt32BE(this.#advance(4));
  }

  int32(): number {
    return this.#data.readInt32BE(this.#advance(4));
  }

  uint64(): bigint {
    return this.#data.readBigUInt64BE(this.#advance(8));
  }

  int64(): bigint {
    return this.#data.readBigInt64BE(this.#advance(8));
  }

  char(): string {
    return String.fromCharCode(this.uint8());
  }

  /** Text that ends with a zero byte. */
  text(): string {
    const end = this.#data.indexOf(0, this.#place);
    if (end < 0) throw new RangeError("a text without its end");
    const text = this.#data.toString("utf8", this.#place, end);
    this.#place = end + 1;
    return text;
  }

  bytes(length: number): Buffer {
    const start = this.#advance(length);
    if (this.#place > this.#data.length) throw new RangeError("less bytes than announced");
    return this.#data.subarray(start, this.#place);
  }

  /** What is left. */
  rest(): Buffer {
    return this.#data.subarray(this.#place);
  }

  #advance(length: number): number {
    const start = this.#place;
    this.#place += length;
    return start;
  }
}
