import { DataError, type Value } from "@headrace/sdk";

const FIRST_SIZE = 4096;
/** What a number above it costs is given back after use. */
const KEPT_SIZE = 1 << 20;

/** A buffer that grows, with Avro's primitive encodings. Source: Apache Avro 1.12 specification, "Binary Encoding". */
export class ByteWriter {
  #buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
  #at = 0;

  /** Forgets what was written. */
  reset(): void {
    this.#at = 0;
    if (this.#buffer.length > KEPT_SIZE) this.#buffer = Buffer.allocUnsafeSlow(FIRST_SIZE);
  }

  /** A copy of what was written. */
  take(): Buffer {
    const bytes = Buffer.allocUnsafe(this.#at);
    this.#buffer.copy(bytes, 0, 0, this.#at);
    return bytes;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#at;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#at] = value;
    this.#at += 1;
  }

  /** Big-endian. */
  int32(value: number): void {
    this.#reserve(4);
    this.#at = this.#buffer.writeInt32BE(value, this.#at);
  }

  boolean(value: boolean): void {
    this.byte(value ? 1 : 0);
  }

  /** Zig-zag, at most 32 bits. */
  int(value: number): void {
    this.#reserve(5);
    const buffer = this.#buffer;
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    let at = this.#at;
    while (rest > 0x7f) {
      buffer[at] = (rest & 0x7f) | 0x80;
      at += 1;
      rest >>>= 7;
    }
    buffer[at] = rest;
    this.#at = at + 1;
  }

  /** Zig-zag, 64 bits. Throws DataError for more. */
  long(value: bigint): void {
    const small = Number(value);
    this.#reserve(10);
    if (small >= -0x80000000 && small <= 0x7fffffff) {
      this.int(small);
      return;
    }
    if (small > -(2 ** 52) && small < 2 ** 52) {
      let rest = small < 0 ? -small * 2 - 1 : small * 2;
      while (rest > 0x7f) {
        this.#buffer[this.#at] = (rest % 0x80) | 0x80;
        this.#at += 1;
        rest = Math.floor(rest / 0x80);
      }
      this.#buffer[this.#at] = rest;
      this.#at += 1;
      return;
    }
    if (BigInt.asIntN(64, value) !== value) throw new DataError(`${value} does not fit 64 bits`);
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    while (rest > 0x7fn) {
      this.#buffer[this.#at] = Number(rest & 0x7fn) | 0x80;
      this.#at += 1;
      rest >>= 7n;
    }
    this.#buffer[this.#at] = Number(rest);
    this.#at += 1;
  }

  float(value: number): void {
    this.#reserve(4);
    this.#at = this.#buffer.writeFloatLE(value, this.#at);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  bytes(value: Buffer): void {
    this.int(value.length);
    this.raw(value);
  }

  string(value: string): void {
    const size = Buffer.byteLength(value);
    this.int(size);
    this.#reserve(size);
    this.#at += this.#buffer.write(value, this.#at, size, "utf8");
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }
}

/** Appends a value's binary encoding. Throws DataError for a value that the schema does not admit. */
export type Write = (out: ByteWriter, value: Value) => void;
