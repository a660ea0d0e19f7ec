import { DataError, type Value } from "@headrace/sdk";
import { GrowingBuffer } from "./growing-buffer.ts";

/** Avro's primitive encodings in a buffer that grows. Source: Apache Avro 1.12 specification, "Binary Encoding". */
export class ByteWriter {
  readonly #out = new GrowingBuffer();

  /** Forgets what was written. */
  reset(): void {
    this.#out.reset();
  }

  /** A copy of what was written. */
  take(): Buffer {
    return this.#out.take();
  }

  /** Bytes so far. */
  get length(): number {
    return this.#out.at;
  }

  byte(value: number): void {
    const out = this.#out;
    out.reserve(1);
    out.bytes[out.at] = value;
    out.at += 1;
  }

  /** Big-endian. */
  int32(value: number): void {
    const out = this.#out;
    out.reserve(4);
    out.at = out.bytes.writeInt32BE(value, out.at);
  }

  boolean(value: boolean): void {
    this.byte(value ? 1 : 0);
  }

  /** Zig-zag, at most 32 bits. */
  int(value: number): void {
    const out = this.#out;
    out.reserve(5);
    const { bytes } = out;
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    let at = out.at;
    while (rest > 0x7f) {
      bytes[at] = (rest & 0x7f) | 0x80;
      at += 1;
      rest >>>= 7;
    }
    bytes[at] = rest;
    out.at = at + 1;
  }

  /** Zig-zag, 64 bits. Throws DataError for more. */
  long(value: bigint): void {
    const small = Number(value);
    if (small >= -0x80000000 && small <= 0x7fffffff) {
      this.int(small);
      return;
    }
    const out = this.#out;
    out.reserve(10);
    if (small > -(2 ** 52) && small < 2 ** 52) {
      let rest = small < 0 ? -small * 2 - 1 : small * 2;
      while (rest > 0x7f) {
        out.bytes[out.at] = (rest % 0x80) | 0x80;
        out.at += 1;
        rest = Math.floor(rest / 0x80);
      }
      out.bytes[out.at] = rest;
      out.at += 1;
      return;
    }
    if (BigInt.asIntN(64, value) !== value) throw new DataError(`${value} does not fit 64 bits`);
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    while (rest > 0x7fn) {
      out.bytes[out.at] = Number(rest & 0x7fn) | 0x80;
      out.at += 1;
      rest >>= 7n;
    }
    out.bytes[out.at] = Number(rest);
    out.at += 1;
  }

  float(value: number): void {
    this.#out.float(value);
  }

  double(value: number): void {
    this.#out.double(value);
  }

  bytes(value: Buffer): void {
    this.int(value.length);
    this.#out.raw(value);
  }

  string(value: string): void {
    const size = Buffer.byteLength(value);
    this.int(size);
    this.#out.utf8(value, size);
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.#out.raw(value);
  }
}

/** Appends a value's binary encoding. Throws DataError for a value that the schema does not admit. */
export type Write = (out: ByteWriter, value: Value) => void;
