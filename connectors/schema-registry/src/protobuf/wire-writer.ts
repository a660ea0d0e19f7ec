import { GrowingBuffer } from "@headrace/avro";

/** How a field's value stands on the wire. */
export const VARINT = 0;
export const FIXED64 = 1;
export const DELIMITED = 2;
export const FIXED32 = 5;
export type WireType = typeof VARINT | typeof FIXED64 | typeof DELIMITED | typeof FIXED32;

/** A text of so many characters has a length of one byte, whatever they are. */
const SHORT_TEXT = 42;

/** Protobuf's encodings in a buffer that grows. Source: the Protocol Buffers documentation, "Encoding". */
export class WireWriter {
  readonly #out = new GrowingBuffer();

  /** Forgets what was written. */
  reset(): void {
    this.#out.reset();
  }

  /** A copy of what was written. */
  take(): Buffer {
    return this.#out.take();
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.#out.raw(value);
  }

  /** Unsigned, at most 32 bits. */
  varint(value: number): void {
    const out = this.#out;
    out.reserve(5);
    let rest = value >>> 0;
    while (rest > 0x7f) {
      out.bytes[out.at] = (rest & 0x7f) | 0x80;
      out.at += 1;
      rest >>>= 7;
    }
    out.bytes[out.at] = rest;
    out.at += 1;
  }

  /** Signed, 32 bits; below zero as long as 64 bits are. */
  int32(value: number): void {
    if (value >= 0) this.varint(value);
    else this.#varint64(value >>> 0, 0xffffffff);
  }

  /** Zig-zag, 32 bits. */
  sint32(value: number): void {
    this.varint((value << 1) ^ (value >> 31));
  }

  /** The low 64 bits. */
  int64(value: bigint): void {
    const small = Number(value);
    if (small >= 0 && small <= 0xffffffff) this.varint(small);
    else this.#varint64(Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n)));
  }

  /** Zig-zag, 64 bits. */
  sint64(value: bigint): void {
    this.int64(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));
  }

  #varint64(low: number, high: number): void {
    const out = this.#out;
    out.reserve(10);
    let [rest, upper] = [low, high];
    while (upper !== 0 || rest > 0x7f) {
      out.bytes[out.at] = (rest & 0x7f) | 0x80;
      out.at += 1;
      rest = ((rest >>> 7) | (upper << 25)) >>> 0;
      upper >>>= 7;
    }
    out.bytes[out.at] = rest;
    out.at += 1;
  }

  /** The low 32 bits, little-endian. */
  fixed32(value: number): void {
    const out = this.#out;
    out.reserve(4);
    out.at = out.bytes.writeInt32LE(value | 0, out.at);
  }

  /** The low 64 bits, little-endian. */
  fixed64(value: bigint): void {
    const out = this.#out;
    out.reserve(8);
    out.at = out.bytes.writeBigUInt64LE(BigInt.asUintN(64, value), out.at);
  }

  float(value: number): void {
    this.#out.float(value);
  }

  double(value: number): void {
    this.#out.double(value);
  }

  bool(value: boolean): void {
    this.varint(value ? 1 : 0);
  }

  /** Length and bytes. */
  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.#out.raw(value);
  }

  /** Length and UTF-8. */
  string(value: string): void {
    const out = this.#out;
    if (value.length <= SHORT_TEXT) {
      out.reserve(1 + 3 * value.length);
      const size = out.bytes.write(value, out.at + 1, "utf8");
      out.bytes[out.at] = size;
      out.at += 1 + size;
      return;
    }
    const size = Buffer.byteLength(value);
    this.varint(size);
    this.#out.utf8(value, size);
  }

  /** Starts something whose length stands before it; gives what {@link close} needs. */
  open(): number {
    const out = this.#out;
    out.reserve(1);
    out.at += 1;
    return out.at;
  }

  /** Ends what {@link open} started there. */
  close(start: number): void {
    const out = this.#out;
    const size = out.at - start;
    if (size <= 0x7f) {
      out.bytes[start - 1] = size;
      return;
    }
    let more = 0;
    for (let rest = size >>> 7; rest > 0; rest >>>= 7) more += 1;
    out.reserve(more);
    out.bytes.copyWithin(start + more, start, out.at);
    const end = out.at + more;
    out.at = start - 1;
    this.varint(size);
    out.at = end;
  }
}
