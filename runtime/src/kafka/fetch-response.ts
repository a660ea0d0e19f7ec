import { Decoder, decodeMessageSet, decodeRecordBatch } from "./kafkajs.ts";

/** A record as it was read. Key and value are views of the answer's buffer: copy what is kept for long. */
export interface LogRecord {
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since the epoch. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  /** End of what may be read: the high watermark, or the last stable offset for committed reads. */
  readonly end: bigint;
  readonly records: readonly LogRecord[];
  /** Offset after the last batch, control and empty ones included; null if no batch came. */
  readonly next: bigint | null;
}

export interface FetchResponse {
  readonly errorCode: number;
  readonly partitions: readonly FetchedPartition[];
  /** Read by kafkajs, which then holds back its requests. */
  readonly clientSideThrottleTime: number;
}

/** `[baseOffset:int64][length:int32]` stands before every batch. */
const BATCH_PREFIX = 12;
const MAGIC_OFFSET = 16;

/**
 * Decodes a Fetch answer of version 11. Unlike kafkajs's own decoder it keeps the errors of single partitions and the ends of
 * batches without records: compaction leaves empty ones, transactions leave markers.
 */
export async function decodeFetchResponse(
  raw: Buffer,
  from: ReadonlyMap<number, bigint>,
  readCommitted: boolean,
): Promise<FetchResponse> {
  const decoder = new Decoder(raw);
  const clientSideThrottleTime = decoder.readInt32();
  const errorCode = decoder.readInt16();
  decoder.readInt32(); // Session id: sessions are not used.
  const topics = await decoder.readArrayAsync(async (topic) => {
    topic.readString();
    return topic.readArrayAsync((partition) => decodePartition(partition, from, readCommitted));
  });
  return { errorCode, partitions: topics.flat(), clientSideThrottleTime };
}

async function decodePartition(
  decoder: Decoder,
  from: ReadonlyMap<number, bigint>,
  readCommitted: boolean,
): Promise<FetchedPartition> {
  const partition = decoder.readInt32();
  const errorCode = decoder.readInt16();
  const highWatermark = BigInt(decoder.readInt64().toString());
  const lastStable = BigInt(decoder.readInt64().toString());
  decoder.readInt64(); // Log start offset.
  const aborted = decoder.readArray((entry) => ({
    producerId: entry.readInt64().toString(),
    firstOffset: BigInt(entry.readInt64().toString()),
  }));
  decoder.readInt32(); // Preferred read replica: we read from leaders.
  const size = decoder.readInt32();
  const bytes = size > 0 ? decoder.readBytes(size) : Buffer.alloc(0);
  const end = readCommitted ? lastStable : highWatermark;
  const position = from.get(partition) ?? 0n;
  const { records, next } = await decodeBatches(bytes, readCommitted ? aborted : []);
  return {
    partition,
    errorCode,
    end,
    // A batch is sent whole even if it begins before the wanted offset.
    records: records.filter(({ offset }) => offset >= position).map((record) => ({ ...record, partition })),
    next,
  };
}

interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: bigint;
}

async function decodeBatches(
  bytes: Buffer,
  aborted: readonly AbortedTransaction[],
): Promise<{ readonly records: Omit<LogRecord, "partition">[]; readonly next: bigint | null }> {
  const records: Omit<LogRecord, "partition">[] = [];
  const upcoming = aborted.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const abortedProducers = new Set<string>();
  let next: bigint | null = null;
  for (let at = 0; at + BATCH_PREFIX <= bytes.length; ) {
    const end = at + BATCH_PREFIX + bytes.readInt32BE(at + 8);
    if (end > bytes.length) break; // The last batch may be cut.
    if (bytes.readInt8(at + MAGIC_OFFSET) < 2) {
      for (const message of await decodeMessageSet(new Decoder(bytes.subarray(at, end)), end - at)) {
        records.push(toRecord(message));
        next = BigInt(message.offset) + 1n;
      }
      at = end;
      continue;
    }
    const batch = await decodeRecordBatch(new Decoder(bytes.subarray(at, end)));
    const last = BigInt(batch.firstOffset) + BigInt(batch.lastOffsetDelta);
    for (let first = upcoming[0]; first !== undefined && first.firstOffset <= last; first = upcoming[0]) {
      abortedProducers.add(first.producerId);
      upcoming.shift();
    }
    if (batch.isControlBatch) {
      // A marker ends the producer's transaction, committed or not.
      abortedProducers.delete(batch.producerId);
    } else if (!batch.inTransaction || !abortedProducers.has(batch.producerId)) {
      for (const record of batch.records) records.push(toRecord(record));
    }
    next = last + 1n;
    at = end;
  }
  return { records, next };
}

function toRecord(record: {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}): Omit<LogRecord, "partition"> {
  return {
    offset: BigInt(record.offset),
    timestampMs: Number(record.timestamp),
    key: record.key,
    value: record.value,
  };
}
