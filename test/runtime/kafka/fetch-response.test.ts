import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeFetchResponse, type FetchedPartition } from "#runtime/kafka/fetch-response.ts";

/** A record batch of magic 2 without compression, written down from Kafka's documentation of the format. */
interface Batch {
  readonly first: number;
  /** Offsets that the batch spans; compaction keeps the span when it takes records out. */
  readonly span?: number;
  readonly records?: readonly { readonly at?: number; readonly key: string; readonly value: string | null }[];
  /** Part of a transaction of this producer. */
  readonly producer?: number;
  /** A control batch: the end of its producer's transaction. */
  readonly control?: "commit" | "abort";
}

const int8 = (value: number) => Buffer.from([value & 0xff]);
const int16 = (value: number) => sized(2, (buffer) => buffer.writeInt16BE(value));
const int32 = (value: number) => sized(4, (buffer) => buffer.writeInt32BE(value));
const int64 = (value: number) => sized(8, (buffer) => buffer.writeBigInt64BE(BigInt(value)));
const string = (value: string) => Buffer.concat([int16(value.length), Buffer.from(value)]);
const array = (items: readonly Buffer[]) => Buffer.concat([int32(items.length), ...items]);

function sized(size: number, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(size);
  write(buffer);
  return buffer;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

const bytes = (value: Buffer | null) => (value === null ? varint(-1) : Buffer.concat([varint(value.length), value]));

function encodeBatch({ first, records = [], span, producer, control }: Batch): Buffer {
  const entries: readonly { at?: number; key: Buffer; value: Buffer | null }[] =
    control !== undefined
      ? [{ key: Buffer.concat([int16(0), int16(control === "abort" ? 0 : 1)]), value: Buffer.alloc(6) }]
      : records.map(({ key, value, ...rest }) => ({
          ...rest,
          key: Buffer.from(key),
          value: value === null ? null : Buffer.from(value),
        }));
  const encoded = entries.map(({ at, key, value }, index) => {
    const body = Buffer.concat([int8(0), varint(0), varint(at ?? index), bytes(key), bytes(value), varint(0)]);
    return Buffer.concat([varint(body.length), body]);
  });
  const attributes = (producer === undefined ? 0 : 0x10) | (control === undefined ? 0 : 0x20);
  const body = Buffer.concat([
    int32(0), // Leader epoch.
    int8(2),
    int32(0), // Checksum: not looked at.
    int16(attributes),
    int32((span ?? Math.max(entries.length, 1)) - 1),
    int64(1_700_000_000_000),
    int64(1_700_000_000_000),
    int64(producer ?? -1),
    int16(0),
    int32(0),
    array(encoded),
  ]);
  return Buffer.concat([int64(first), int32(body.length), body]);
}

interface Answer {
  readonly batches?: readonly Batch[];
  readonly aborted?: readonly { readonly producer: number; readonly first: number }[];
  readonly errorCode?: number;
  /** Bytes that are missing at the end of the batches. */
  readonly cut?: number;
}

function encodeAnswer({ batches = [], aborted = [], errorCode = 0, cut = 0 }: Answer, partition = 0): Buffer {
  const records = Buffer.concat(batches.map(encodeBatch));
  const kept = records.subarray(0, records.length - cut);
  return Buffer.concat([
    int32(partition),
    int16(errorCode),
    int64(100), // High watermark.
    int64(90), // Last stable offset.
    int64(0),
    array(aborted.map(({ producer, first }) => Buffer.concat([int64(producer), int64(first)]))),
    int32(-1),
    int32(kept.length),
    kept,
  ]);
}

async function decode(answers: readonly Answer[], from = 0n, readCommitted = false) {
  const partitions = answers.map(encodeAnswer);
  const topic = Buffer.concat([string("t"), array(partitions)]);
  const raw = Buffer.concat([int32(7), int16(0), int32(0), array([topic])]);
  const positions = new Map(answers.map((_, partition) => [partition, from]));
  return decodeFetchResponse(raw, positions, readCommitted);
}

async function decodeOne(answer: Answer, from = 0n, readCommitted = false): Promise<FetchedPartition> {
  const [partition] = (await decode([answer], from, readCommitted)).partitions;
  assert.ok(partition !== undefined);
  return partition;
}

const texts = ({ records }: FetchedPartition) => records.map(({ offset, key, value }) => `${offset} ${key}=${value}`);

describe("answer to a fetch", () => {
  const a = { key: "a", value: "1" };
  const b = { key: "b", value: null };

  it("gives records with their offsets, keys and values", async () => {
    const partition = await decodeOne({
      batches: [
        { first: 5, records: [a, b] },
        { first: 7, records: [a] },
      ],
    });
    assert.deepEqual(texts(partition), ["5 a=1", "6 b=null", "7 a=1"]);
    assert.equal(partition.records[1]?.value, null);
    assert.equal(partition.records[0]?.timestampMs, 1_700_000_000_000);
    assert.equal(partition.next, 8n);
  });

  it("ends at the high watermark, or at the last stable offset for committed reads", async () => {
    assert.equal((await decodeOne({})).end, 100n);
    assert.equal((await decodeOne({}, 0n, true)).end, 90n);
  });

  it("says that nothing came", async () => {
    const partition = await decodeOne({});
    assert.deepEqual([partition.records, partition.next], [[], null]);
  });

  it("keeps the error of one partition apart from the others", async () => {
    const { partitions, clientSideThrottleTime } = await decode([
      { errorCode: 6 },
      { batches: [{ first: 0, records: [a] }] },
    ]);
    assert.deepEqual(
      partitions.map(({ errorCode, records }) => [errorCode, records.length]),
      [
        [6, 0],
        [0, 1],
      ],
    );
    assert.equal(clientSideThrottleTime, 7);
  });

  it("leaves out what lies before the wanted offset in the first batch", async () => {
    const partition = await decodeOne({ batches: [{ first: 5, records: [a, b, a] }] }, 6n);
    assert.deepEqual(texts(partition), ["6 b=null", "7 a=1"]);
  });

  it("goes to the end of a batch whose last records were compacted away", async () => {
    const partition = await decodeOne({ batches: [{ first: 5, span: 10, records: [{ ...a, at: 3 }] }] });
    assert.deepEqual(texts(partition), ["8 a=1"]);
    assert.equal(partition.next, 15n);
  });

  it("goes over a batch that compaction has emptied", async () => {
    const partition = await decodeOne({
      batches: [
        { first: 0, records: [a] },
        { first: 4, span: 6 },
      ],
    });
    assert.deepEqual(texts(partition), ["0 a=1"]);
    assert.equal(partition.next, 10n);
  });

  it("stops before a batch that was cut", async () => {
    const partition = await decodeOne({
      batches: [
        { first: 0, records: [a] },
        { first: 1, records: [b] },
      ],
      cut: 1,
    });
    assert.deepEqual(texts(partition), ["0 a=1"]);
    assert.equal(partition.next, 1n);
  });

  it("hides markers, and goes over them", async () => {
    const batches = [
      { first: 0, producer: 1, records: [a] },
      { first: 1, producer: 1, control: "commit" as const },
    ];
    for (const readCommitted of [false, true]) {
      const partition = await decodeOne({ batches }, 0n, readCommitted);
      assert.deepEqual(texts(partition), ["0 a=1"]);
      assert.equal(partition.next, 2n);
    }
  });

  const mixed: Answer = {
    batches: [
      { first: 0, producer: 1, records: [{ key: "p1", value: "aborted" }] },
      { first: 1, producer: 2, records: [{ key: "p2", value: "committed" }] },
      { first: 2, records: [{ key: "none", value: "plain" }] },
      { first: 3, producer: 1, control: "abort" },
      { first: 4, producer: 2, control: "commit" },
      { first: 5, producer: 1, records: [{ key: "p1", value: "committed" }] },
      { first: 6, producer: 1, control: "commit" },
      { first: 7, producer: 1, records: [{ key: "p1", value: "aborted again" }] },
      { first: 8, producer: 1, control: "abort" },
    ],
    // Kafka does not promise an order.
    aborted: [
      { producer: 1, first: 7 },
      { producer: 1, first: 0 },
    ],
  };

  it("leaves out aborted transactions for committed reads, each producer's for itself", async () => {
    const partition = await decodeOne(mixed, 0n, true);
    assert.deepEqual(texts(partition), ["1 p2=committed", "2 none=plain", "5 p1=committed"]);
    assert.equal(partition.next, 9n);
  });

  it("keeps them for uncommitted reads", async () => {
    assert.equal((await decodeOne(mixed)).records.length, 5);
  });
});
