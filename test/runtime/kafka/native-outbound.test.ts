import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Utf8Text } from "@headrace/sdk";
import { OutboundEncoder } from "#runtime/kafka/native-outbound.ts";
import type { OutboundRecord } from "#runtime/kafka/record-producer.ts";

const record = (fields: Partial<OutboundRecord>): OutboundRecord => ({
  topic: "t",
  partition: null,
  key: null,
  value: null,
  headers: null,
  timestamp: null,
  ...fields,
});

/** What the addon would read of the encoder's chunk. */
function decode(encoder: OutboundEncoder, count: number) {
  const { columns, data, timestamps } = encoder;
  const field = (at: number) => {
    const start = columns[at] ?? -1;
    return start === -1 ? null : data.toString("utf8", start, columns[at + 1]);
  };
  return Array.from({ length: count }, (_, i) => ({
    topic: columns[8 * i],
    partition: columns[8 * i + 1],
    key: field(8 * i + 2),
    value: field(8 * i + 4),
    headers: field(8 * i + 6),
    timestamp: timestamps[i],
  }));
}

describe("OutboundEncoder", () => {
  const bare = { topic: 0, partition: -1, key: null, headers: null, timestamp: 0 };

  it("encodes ASCII, other text and bytes alike", () => {
    const encoder = new OutboundEncoder(() => 0);
    for (const values of [
      ["a", "", "bc", null],
      ["ä", "", "馬🐎", null],
      // Halves of a surrogate pair in two records must not become one character.
      ["\ud83d", "\udc0e"],
    ]) {
      const records = values.flatMap((value) => [record({ value }), record({ value, key: value })]);
      assert.equal(encoder.encode(records, 0), records.length);
      const utf8 = (value: string | null) => (value === null ? null : Buffer.from(value).toString());
      assert.deepEqual(
        decode(encoder, records.length),
        values.flatMap((value) => [
          { ...bare, value: utf8(value) },
          { ...bare, key: utf8(value), value: utf8(value) },
        ]),
      );
    }
  });

  it("takes fields that are not given for null, in each way to encode", () => {
    const text = new Utf8Text(null, Buffer.from("text"), 0, 4);
    for (const value of ["text", Buffer.from("text"), text]) {
      const encoder = new OutboundEncoder(() => 0);
      assert.equal(encoder.encode([{ topic: "t", value }, record({ value })], 0), 2);
      assert.deepEqual(decode(encoder, 2), [
        { ...bare, value: "text" },
        { ...bare, value: "text" },
      ]);
    }
  });

  it("points into text of one buffer instead of copying it, and copies it beside keys, headers and other values", () => {
    const encoder = new OutboundEncoder(() => 0);
    const [first, second] = [Buffer.from("grüße,x,"), Buffer.from("-y-")];
    const text = (bytes: Buffer, start: number, end: number) => new Utf8Text(null, bytes, start, end);
    const records = [
      record({ value: text(first, 0, 7) }),
      record({ value: text(first, 8, 9), timestamp: 5 }),
      record({ value: text(second, 1, 2) }),
      record({ value: text(second, 1, 2), key: "k" }),
      record({ value: "z" }),
      record({ value: text(second, 1, 1), headers: [{ key: "h", value: null }] }),
    ];
    const chunks: [boolean, (string | null)[]][] = [];
    for (let from = 0; from < records.length; ) {
      const count = encoder.encode(records, from);
      const values = decode(encoder, count).map(({ key, value }) => (key === null ? value : `${key}=${value}`));
      chunks.push([encoder.data === first || encoder.data === second, values]);
      from += count;
    }
    assert.deepEqual(chunks, [
      [true, ["grüße", "x"]],
      [true, ["y"]],
      [false, ["k=y", "z", ""]],
    ]);
    assert.equal(encoder.encode([record({ value: text(second, 0, 3) })], 0), 1);
    assert.equal(encoder.data, second);
  });

  it("encodes headers with lengths, null apart from empty", () => {
    const encoder = new OutboundEncoder(() => 0);
    const headers = [
      { key: "k", value: "v" },
      { key: "n", value: null },
      { key: "", value: Buffer.alloc(0) },
    ];
    encoder.encode([record({ headers })], 0);
    const bytes = encoder.data.subarray(encoder.columns[6], encoder.columns[7]);
    const int32 = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
    assert.deepEqual(
      [...bytes],
      [...int32(1), 107, ...int32(1), 118, ...int32(1), 110, ...int32(-1), ...int32(0), ...int32(0)],
    );
    encoder.encode([record({ headers: [] })], 0);
    assert.equal(encoder.columns[6], -1);
  });

  it("gives topics their handles, and numbers as they are", () => {
    const encoder = new OutboundEncoder((topic) => topic.length);
    encoder.encode([record({ topic: "four", partition: 7, timestamp: 123 }), record({ topic: "t", timestamp: 0 })], 0);
    assert.deepEqual(
      decode(encoder, 2).map(({ topic, partition, timestamp }) => [topic, partition, timestamp]),
      [
        [4, 7, 123],
        [1, -1, 1],
      ],
    );
  });

  it("closes a chunk in time and takes at least one record, however large", () => {
    const encoder = new OutboundEncoder(() => 0);
    const large = record({ value: Buffer.alloc(20 << 20, 120) });
    const many = [large, large, ...Array.from({ length: 5000 }, (_, i) => record({ value: `${i}` }))];
    const counts: number[] = [];
    for (let from = 0; from < many.length; ) {
      const count = encoder.encode(many, from);
      assert.ok(count > 0);
      counts.push(count);
      from += count;
    }
    assert.deepEqual(counts.slice(0, 2), [1, 1]);
    assert.ok(counts.length > 3);
    assert.ok(encoder.data.length < 20 << 20);
  });

  it("refuses partitions and timestamps that Kafka has not", () => {
    const encoder = new OutboundEncoder(() => 0);
    for (const partition of [-1, 1.5, 2 ** 31, Number.NaN])
      assert.throws(() => encoder.encode([record({ partition })], 0), RangeError);
    for (const timestamp of [-1, 1.5, 2 ** 53, Number.NaN])
      assert.throws(() => encoder.encode([record({ timestamp })], 0), RangeError);
  });
});
