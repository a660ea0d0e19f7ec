import type { InboundBatch, Partition } from "../kafka/record-consumer.ts";
import type { OutboundHeader } from "../kafka/record-producer.ts";
import { payloadOf } from "./record-pipeline.ts";

/** A record as it lies in Kafka, in memory of its own: what a dead letter is made of. */
export interface RawRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since the epoch; null if the record has none. */
  readonly timestamp: number | null;
  readonly key: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers: readonly OutboundHeader[];
}

/** Copies one record out of a batch, which is a view that is reused. */
export function rawRecordOf(batch: InboundBatch, index: number): RawRecord {
  const timestamp = batch.timestamps[index] ?? -1;
  return {
    topic: batch.topics[batch.topicIndex[index] ?? 0] ?? "",
    partition: batch.partitions[index] ?? 0,
    offset: batch.offsets[index] ?? 0n,
    timestamp: timestamp < 0 ? null : timestamp,
    key: copied(payloadOf(batch.data, batch.keys, index)),
    value: copied(payloadOf(batch.data, batch.values, index)),
    headers: batch.headers(index)?.map(({ key, value }) => ({ key, value: copied(value) })) ?? [],
  };
}

/** As Connect's error log shows a consumed record. Source: org.apache.kafka.connect.runtime.errors.LogReporter. */
export function describeRaw(record: Omit<RawRecord, "key" | "value" | "headers">): string {
  const { topic, partition, offset, timestamp } = record;
  const time = timestamp === null ? "" : `, timestamp=${timestamp}, timestampType=CreateTime`;
  return `{topic='${topic}', partition=${partition}, offset=${offset}${time}}`;
}

/** Bytes of batches that are kept; the newest batch is kept whatever its size. */
const MAX_BYTES = 16 * 1024 * 1024;

interface Kept {
  readonly batch: InboundBatch;
  /** Index by place; made when somebody asks. */
  places: ReadonlyMap<string, number> | null;
}

/** The last batches of a sink as they came from Kafka, for records that the sink gives back later. */
export class RawRecords {
  readonly #kept: Kept[] = [];
  #bytes = 0;

  keep(batch: InboundBatch): void {
    this.#kept.push({ batch: batch.copy(), places: null });
    this.#bytes += batch.data.length;
    while (this.#bytes > MAX_BYTES && this.#kept.length > 1) this.#bytes -= this.#kept.shift()?.batch.data.length ?? 0;
  }

  /** The record that lies there; null if it is not kept any more. */
  find(place: Partition & { readonly offset: bigint }): RawRecord | null {
    const key = placeKey(place.topic, place.partition, place.offset);
    for (const kept of this.#kept.toReversed()) {
      kept.places ??= placesOf(kept.batch);
      const index = kept.places.get(key);
      if (index !== undefined) return rawRecordOf(kept.batch, index);
    }
    return null;
  }
}

function placesOf(batch: InboundBatch): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  for (let index = 0; index < batch.count; index += 1) {
    const topic = batch.topics[batch.topicIndex[index] ?? 0] ?? "";
    places.set(placeKey(topic, batch.partitions[index] ?? 0, batch.offsets[index] ?? 0n), index);
  }
  return places;
}

function placeKey(topic: string, partition: number, offset: bigint): string {
  return `${partition}@${offset}@${topic}`;
}

function copied(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}
