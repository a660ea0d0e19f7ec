import { isUtf8 } from "node:buffer";
import { DataError } from "@headrace/sdk";
import { DELIMITED, FIXED32, FIXED64, VARINT } from "./wire-writer.ts";

const START_GROUP = 3;
const END_GROUP = 4;
/** Groups in groups that are passed over; nobody has more. */
const MAX_DEPTH = 100;

/** Reads protobuf's encodings, within bounds. Throws DataError for data that ends early. */
export class WireReader {
  #data: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  /** Goes on in other data. */
  open(data: Buffer, at: number): this {
    this.#data = data;
    this.#at = at;
    this.#end = data.length;
    return this;
  }

  /** Where reading goes on. */
  get position(): number {
    return this.#at;
  }

  /** Whether the message, or the part that {@link enter} began, goes on. */
  get more(): boolean {
    return this.#at < this.#end;
  }

  /** Narrows reading to what has its length before it; give the result to {@link leave} at its end. */
  enter(): number {
    const size = this.varint();
    const outer = this.#end;
    if (size > outer - this.#at) throw endsEarly();
    this.#end = this.#at + size;
    return outer;
  }

  leave(outer: number): void {
    this.#end = outer;
  }

  /** Unsigned; only the low 32 bits count. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte();
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    for (let count = 5; count < 10; count += 1) if (this.#byte() < 0x80) return value >>> 0;
    throw new DataError("a number of the protobuf data has more than 10 bytes");
  }

  /** Signed; only the low 32 bits count. */
  int32(): number {
    return this.varint() | 0;
  }

  sint32(): number {
    const value = this.varint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** Signed, 64 bits. */
  int64(): bigint {
    let low = 0;
    let high = 0;
    for (let count = 0; count < 10; count += 1) {
      const byte = this.#byte();
      const bits = byte & 0x7f;
      if (count < 4) low |= bits << (7 * count);
      else if (count === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * count - 32);
      if (byte < 0x80) return join(low >>> 0, high);
    }
    throw new DataError("a number of the protobuf data has more than 10 bytes");
  }

  sint64(): bigint {
    const value = BigInt.asUintN(64, this.int64());
    return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
  }

  /** Signed. */
  fixed32(): number {
    return this.#data.readInt32LE(this.#skip(4));
  }

  /** Signed. */
  fixed64(): bigint {
    return this.#data.readBigInt64LE(this.#skip(8));
  }

  float(): number {
    return this.#data.readFloatLE(this.#skip(4));
  }

  double(): number {
    return this.#data.readDoubleLE(this.#skip(8));
  }

  bool(): boolean {
    // Any bit of up to 64 counts.
    return this.int64() !== 0n;
  }

  /** A copy. */
  bytes(): Buffer {
    const size = this.varint();
    const from = this.#skip(size);
    return Buffer.from(this.#data.subarray(from, from + size));
  }

  string(): string {
    const size = this.varint();
    const from = this.#skip(size);
    const text = this.#data.toString("utf8", from, from + size);
    if (text.includes("\ufffd") && !isUtf8(this.#data.subarray(from, from + size))) {
      throw new DataError("a text of the protobuf data is not UTF-8");
    }
    return text;
  }

  /** Passes over the value of a field. */
  skip(tag: number, depth = 0): void {
    switch (tag & 7) {
      case VARINT:
        this.int64();
        return;
      case FIXED64:
        this.#skip(8);
        return;
      case DELIMITED:
        this.#skip(this.varint());
        return;
      case FIXED32:
        this.#skip(4);
        return;
      case START_GROUP: {
        if (depth > MAX_DEPTH) throw new DataError("the protobuf data nests too deep");
        for (let inner = this.varint(); inner !== ((tag & ~7) | END_GROUP) >>> 0; inner = this.varint()) {
          if ((inner & 7) === END_GROUP) throw new DataError("a group of the protobuf data ends as another one");
          this.skip(inner, depth + 1);
        }
        return;
      }
      default:
        throw new DataError(`the protobuf data has the wire type ${tag & 7}, which is none`);
    }
  }

  #byte(): number {
    const value = this.#data[this.#at];
    if (value === undefined || this.#at >= this.#end) throw endsEarly();
    this.#at += 1;
    return value;
  }

  #skip(bytes: number): number {
    const from = this.#at;
    if (bytes > this.#end - from) throw endsEarly();
    this.#at = from + bytes;
    return from;
  }
}

function join(low: number, high: number): bigint {
  const upper = high | 0;
  const value = upper * 0x1_0000_0000 + low;
  return Number.isSafeInteger(value) ? BigInt(value) : (BigInt(upper) << 32n) | BigInt(low);
}

function endsEarly(): DataError {
  return new DataError("the protobuf data ends early");
}
