import { Utf8Text } from "@headrace/sdk";
import type { OutboundHeader, OutboundRecord } from "./record-producer.ts";

/** A chunk is closed at about this size: a string that V8 still keeps among others, not in a page of its own that is mapped for it alone. */
const CHUNK_BYTES = 1 << 16;
const CHUNK_RECORDS = 2048;
/** A buffer that one huge record blew up beyond this is not kept. */
const KEPT_BYTES = 1 << 23;
/** The columns are 32-bit numbers. */
const MAX_BYTES = 0x7fffffff;
const FIELDS = 8;

/**
 * Encodes records into one buffer and columns, as `producerProduce` of the addon reads them (`native/addon.ts` has the layout).
 * All of it is reused by the next call.
 */
export class OutboundEncoder {
  #own: Buffer = Buffer.allocUnsafeSlow(1 << 16);
  /** What the columns point into: the encoder's own buffer, or the one that the records' text is in already. */
  data: Buffer = this.#own;
  readonly columns: Int32Array = new Int32Array(CHUNK_RECORDS * FIELDS);
  readonly timestamps: Float64Array = new Float64Array(CHUNK_RECORDS);
  readonly #topicHandle: (topic: string) => number;
  #end = 0;

  constructor(topicHandle: (topic: string) => number) {
    this.#topicHandle = topicHandle;
  }

  /** Encodes records from `from` on, at least one, until the chunk is full; returns how many. Throws for a record that cannot be sent. */
  encode(records: readonly OutboundRecord[], from: number): number {
    if (this.#own.length > KEPT_BYTES) this.#own = Buffer.allocUnsafeSlow(2 * CHUNK_BYTES);
    const referred = this.#refer(records, from);
    if (referred > 0) return referred;
    const count = this.#encodeText(records, from) ?? this.#encodeMixed(records, from);
    this.data = this.#own;
    return count;
  }

  /** Records whose values are text in one buffer, without key and headers: nothing is copied. Returns how many of them there are at the start. */
  #refer(records: readonly OutboundRecord[], from: number): number {
    const first = records[from]?.value;
    if (!(first instanceof Utf8Text) || first.bytes.length > MAX_BYTES) return 0;
    const { bytes } = first;
    const limit = Math.min(records.length, from + CHUNK_RECORDS);
    const { columns } = this;
    let index = from;
    for (let at = 0; index < limit; index++, at += FIELDS) {
      const record = records[index];
      if (record === undefined || record.key != null || record.headers != null) break;
      const { value } = record;
      if (!(value instanceof Utf8Text) || value.bytes !== bytes) break;
      this.#start(record, index - from, at);
      columns[at + 2] = -1;
      columns[at + 3] = -1;
      columns[at + 4] = value.start;
      columns[at + 5] = value.end;
      columns[at + 6] = -1;
      columns[at + 7] = -1;
    }
    this.data = bytes;
    return index - from;
  }

  /**
   * The common case, all strings and no headers: the strings are joined and written by one call, which tells by the length whether they
   * are ASCII, so that their places are known. Null if it is not this case.
   */
  #encodeText(records: readonly OutboundRecord[], from: number): number | null {
    const limit = Math.min(records.length, from + CHUNK_RECORDS);
    const { columns } = this;
    let text = "";
    let index = from;
    for (let at = 0; index < limit && text.length < CHUNK_BYTES; index++, at += FIELDS) {
      const record = records[index];
      if (record === undefined) break;
      const { key = null, value, headers = null } = record;
      if ((key !== null && typeof key !== "string") || (value !== null && typeof value !== "string")) return null;
      if (headers !== null) return null;
      this.#start(record, index - from, at);
      columns[at + 2] = key === null ? -1 : text.length;
      if (key !== null) text += key;
      columns[at + 3] = key === null ? -1 : text.length;
      columns[at + 4] = value === null ? -1 : text.length;
      if (value !== null) text += value;
      columns[at + 5] = value === null ? -1 : text.length;
      columns[at + 6] = -1;
      columns[at + 7] = -1;
    }
    this.#end = 0;
    this.#reserve(text.length * 3);
    return this.#own.write(text, 0, "utf8") === text.length ? index - from : null;
  }

  #encodeMixed(records: readonly OutboundRecord[], from: number): number {
    const limit = Math.min(records.length, from + CHUNK_RECORDS);
    this.#end = 0;
    let index = from;
    for (let at = 0; index < limit && this.#end < CHUNK_BYTES; index++, at += FIELDS) {
      const record = records[index];
      if (record === undefined) break;
      this.#start(record, index - from, at);
      this.#field(record.key ?? null, at + 2);
      this.#field(record.value, at + 4);
      this.#headers(record.headers ?? null, at + 6);
    }
    return index - from;
  }

  #start(record: OutboundRecord, index: number, at: number): void {
    const { partition = null, timestamp = null } = record;
    if (partition !== null && !(Number.isInteger(partition) && partition >= 0 && partition <= 0x7fffffff)) {
      throw new RangeError(`a record for ${record.topic} has partition ${partition}`);
    }
    if (timestamp !== null && !(Number.isSafeInteger(timestamp) && timestamp >= 0)) {
      throw new RangeError(`a record for ${record.topic} has timestamp ${timestamp}`);
    }
    this.columns[at] = this.#topicHandle(record.topic);
    this.columns[at + 1] = partition ?? -1;
    // librdkafka reads 0 as now, so the epoch itself goes out as its first millisecond.
    this.timestamps[index] = timestamp === null ? 0 : Math.max(timestamp, 1);
  }

  #field(value: OutboundRecord["value"], at: number): void {
    this.columns[at] = value === null ? -1 : this.#end;
    if (value !== null) this.#write(value);
    this.columns[at + 1] = value === null ? -1 : this.#end;
  }

  #headers(headers: readonly OutboundHeader[] | null, at: number): void {
    const none = headers === null || headers.length === 0;
    this.columns[at] = none ? -1 : this.#end;
    if (!none) for (const { key, value } of headers) this.#header(key, value);
    this.columns[at + 1] = none ? -1 : this.#end;
  }

  #header(key: string, value: Buffer | string | null): void {
    this.#prefixed(key);
    if (value !== null) this.#prefixed(value);
    else this.#length(this.#skipLength(), -1);
  }

  #prefixed(value: Buffer | string): void {
    const place = this.#skipLength();
    this.#write(value);
    this.#length(place, this.#end - place - 4);
  }

  #skipLength(): number {
    this.#reserve(4);
    this.#end += 4;
    return this.#end - 4;
  }

  #length(place: number, length: number): void {
    this.#own.writeInt32LE(length, place);
  }

  #write(value: Buffer | string | Utf8Text): void {
    if (typeof value === "string") {
      this.#reserve(value.length * 3);
      this.#end += this.#own.write(value, this.#end, "utf8");
      return;
    }
    this.#reserve(value.length);
    if (value instanceof Utf8Text) value.bytes.copy(this.#own, this.#end, value.start, value.end);
    else this.#own.set(value, this.#end);
    this.#end += value.length;
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#own.length) return;
    if (needed > MAX_BYTES) throw new RangeError("a record is larger than 2 GiB");
    const larger = Buffer.allocUnsafeSlow(Math.min(MAX_BYTES, Math.max(needed, this.#own.length * 2)));
    this.#own.copy(larger, 0, 0, this.#end);
    this.#own = larger;
  }
}
