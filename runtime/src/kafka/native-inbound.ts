import type { NativeBatch } from "@headrace/native";
import type { InboundBatch, InboundHeader } from "./record-consumer.ts";

/** The views of a batch over the addon's memory (`native/addon.ts` has the layout). `topics` is the list so far, the batch's included. */
export function toInboundBatch(batch: NativeBatch, topics: readonly string[]): InboundBatch {
  const [kind, count, buffer, used, columns, capacity, newTopics] = batch;
  const data = Buffer.from(buffer, 0, used);
  const headers = new Int32Array(columns, 32 * capacity, 2 * count);
  return {
    count,
    data,
    topics,
    offsets: new BigInt64Array(columns, 0, count),
    timestamps: new Float64Array(columns, 8 * capacity, count),
    keys: new Int32Array(columns, 16 * capacity, 2 * count),
    values: new Int32Array(columns, 24 * capacity, 2 * count),
    topicIndex: new Uint32Array(columns, 40 * capacity, count),
    partitions: new Int32Array(columns, 44 * capacity, count),
    headers: (index) => {
      const start = headers[2 * index];
      const end = headers[2 * index + 1];
      if (start === undefined || end === undefined) throw new RangeError(`the batch has no record ${index}`);
      return start === -1 ? null : decodeHeaders(data, start, end);
    },
    copy: () =>
      toInboundBatch([kind, count, buffer.slice(0, used), used, columns.slice(0), capacity, newTopics], topics),
  };
}

/** [name length:int32][name][value length:int32, -1 for null][value]… */
function decodeHeaders(data: Buffer, start: number, end: number): readonly InboundHeader[] {
  const headers: InboundHeader[] = [];
  for (let at = start; at < end; ) {
    const nameEnd = at + 4 + data.readInt32LE(at);
    const key = data.toString("utf8", at + 4, nameEnd);
    const length = data.readInt32LE(nameEnd);
    at = nameEnd + 4 + Math.max(length, 0);
    headers.push({ key, value: length === -1 ? null : data.subarray(nameEnd + 4, at) });
  }
  return headers;
}
