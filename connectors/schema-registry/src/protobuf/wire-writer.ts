const FIRST_SIZE = 4096;
/** What a message above it costs is given back after use. */
const KEPT_SIZE = 1 << 20;

/** How a field's value stands on the wire. */
export const VARINT = 0;
export const FIXED64 = 1;
export const DELIMITED = 2;
export const FIXED32 = 5;
export type WireType = typeof VARINT | typeof FIXED64 | typeof DELIMITED | typeof FIXED32;

/** A text of so many characters has a length of one byte, whatever they are. */
const SHORT_TEXT = 42;

/** A buffer that grows, with protobuf's encodings. Source: the Protocol Buffers documentation, "Encoding". */
export class WireWriter {
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

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  /** Unsigned, at most 32 bits. */
  varint(value: number): void {
    this.#reserve(5);
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.#buffer[this.#at] = (rest & 0x7f) | 0x80;
      this.#at += 1;
      rest >>>= 7;
    }
    this.#buffer[this.#at] = rest;
    this.#at += 1;
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
    this.#reserve(10);
    let [rest, upper] = [low, high];
    while (upper !== 0 || rest > 0x7f) {
      this.#buffer[this.#at] = (rest & 0x7f) | 0x80;
      this.#at += 1;
      rest = ((rest >>> 7) | (upper << 25)) >>> 0;
      upper >>>= 7;
    }
    this.#buffer[this.#at] = rest;
    this.#at += 1;
  }

  /** The low 32 bits, little-endian. */
  fixed32(value: number): void {
    this.#reserve(4);
    this.#at = this.#buffer.writeInt32LE(value | 0, this.#at);
  }

  /** The low 64 bits, little-endian. */
  fixed64(value: bigint): void {
    this.#reserve(8);
    this.#at = this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, value), this.#at);
  }

  float(value: number): void {
    this.#reserve(4);
    this.#at = this.#buffer.writeFloatLE(value, this.#at);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleLE(value, this.#at);
  }

  bool(value: boolean): void {
    this.varint(value ? 1 : 0);
  }

  /** Length and bytes. */
  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  /** Length and UTF-8. */
  string(value: string): void {
    if (value.length <= SHORT_TEXT) {
      this.#reserve(1 + 3 * value.length);
      const size = this.#buffer.write(value, this.#at + 1, "utf8");
      this.#buffer[this.#at] = size;
      this.#at += 1 + size;
      return;
    }
    const size = Buffer.byteLength(value);
    this.varint(size);
    this.#reserve(size);
    this.#at += this.#buffer.write(value, this.#at, size, "utf8");
  }

  /** Starts something whose length stands before it; gives what {@link close} needs. */
  open(): number {
    this.#reserve(1);
    this.#at += 1;
    return this.#at;
  }

  /** Ends what {@link open} started there. */
  close(start: number): void {
    const size = this.#at - start;
    if (size <= 0x7f) {
      this.#buffer[start - 1] = size;
      return;
    }
    let more = 0;
    for (let rest = size >>> 7; rest > 0; rest >>>= 7) more += 1;
    this.#reserve(more);
    this.#buffer.copyWithin(start + more, start, this.#at);
    const end = this.#at + more;
    this.#at = start - 1;
    this.varint(size);
    this.#at = end;
  }
}
