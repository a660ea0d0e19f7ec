import type { Schema, SchemaAndValue } from "./schema.ts";

/**
 * Text that is still the bytes it was read as: decoded for whoever reads `value`, handed on as it is where only a converter would
 * have read it that writes or reads text as UTF-8. For sources that bring much text, and sinks that write it as bytes (`takesUtf8Text`).
 *
 * Assumptions: `bytes` from `start` to `end` is valid UTF-8 (`isUtf8` of node:buffer), and nobody writes to it any more.
 */
export class Utf8Text implements SchemaAndValue {
  readonly schema: Schema | null;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;

  /** Throws RangeError unless 0 ≤ `start` ≤ `end` ≤ length of `bytes`: nobody else's bytes may get into a record. */
  constructor(schema: Schema | null, bytes: Buffer, start: number, end: number) {
    if (!(start >= 0 && start <= end && end <= bytes.length)) {
      throw new RangeError(`text from ${start} to ${end} lies outside of its ${bytes.length} bytes`);
    }
    this.schema = schema;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  /** The text, decoded each time. */
  get value(): string {
    return this.bytes.toString("utf8", this.start, this.end);
  }

  /** Bytes of the text. */
  get length(): number {
    return this.end - this.start;
  }

  /** The same data without the bytes. */
  decode(): SchemaAndValue {
    return { schema: this.schema, value: this.value };
  }
}
