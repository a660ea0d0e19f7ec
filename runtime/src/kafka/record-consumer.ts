/**
 * The consuming half of the record path, as sink tasks see it: a member of a Kafka consumer group whose heartbeats do not
 * depend on JavaScript. The one implementation stands on `native/`.
 */

import type { ClientLogLine } from "./record-producer.ts";
import type { OAuthSettings } from "./settings.ts";

export interface Partition {
  readonly topic: string;
  readonly partition: number;
}

/** `offset` is the next offset to read, as Kafka's committed offsets are. */
export interface PartitionOffset extends Partition {
  readonly offset: bigint;
}

/**
 * Records of one batch as columns over one buffer; index i of each column is record i, in the order of delivery.
 * A view: valid until the next call of `next`.
 */
export interface InboundBatch {
  readonly count: number;
  readonly data: Buffer;
  /** Topic names; `topicIndex[i]` points into it. */
  readonly topics: readonly string[];
  readonly topicIndex: Uint32Array;
  readonly partitions: Int32Array;
  readonly offsets: BigInt64Array;
  /** Milliseconds since the epoch; -1 for none. */
  readonly timestamps: Float64Array;
  /** Start and end of key i at 2i and 2i+1 in `data`; start -1 for null. */
  readonly keys: Int32Array;
  readonly values: Int32Array;
  /** Headers of record i, or null if it has none. Decoded when asked for. */
  headers(index: number): readonly InboundHeader[] | null;
  /** The same records, in memory of their own. */
  copy(): InboundBatch;
}

export interface InboundHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

/**
 * What a consumer delivers, in order. After `assigned` and `revoked` the consumer stands still until `acknowledge` is called:
 * a revoked partition is not given to anyone else before that.
 */
export type ConsumerEvent =
  | { readonly kind: "batch"; readonly batch: InboundBatch }
  /** With the position each partition starts from (committed, or by auto.offset.reset: then offset is null). */
  | { readonly kind: "assigned"; readonly partitions: readonly (Partition & { readonly offset: bigint | null })[] }
  /** `lost`: the group has already given them away, nothing can be committed. */
  | { readonly kind: "revoked"; readonly partitions: readonly Partition[]; readonly lost: boolean }
  | { readonly kind: "idle" };

export interface RecordConsumerOptions {
  /** librdkafka's property names, already translated by `client-config.ts`. */
  readonly config: Readonly<Record<string, string>>;
  /** Where OAUTHBEARER tokens come from; null or not given for every other mechanism. */
  readonly oauth?: OAuthSettings | null;
  /** Topic names, or one Java-style regular expression. */
  readonly subscription: { readonly topics: readonly string[] } | { readonly regex: string };
  /** Bound of one batch. */
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** What the client has to say, errors that pass by themselves included; not given: dropped. */
  readonly onLog?: ((line: ClientLogLine) => void) | undefined;
}

export interface RecordConsumer {
  /** The next event; `idle` after `timeoutMs` without one. Rejects on fatal client errors and when `signal` aborts. Calls must not overlap. */
  next(timeoutMs: number, signal: AbortSignal): Promise<ConsumerEvent>;
  /** Answers the last `assigned` (optionally with other positions) or `revoked` event. */
  acknowledge(positions?: readonly PartitionOffset[]): void;
  /** Commits synchronously with the broker. Rejects with what the broker said. */
  commit(offsets: readonly PartitionOffset[], signal: AbortSignal): Promise<void>;
  /** Goes on at another offset; records already fetched from that partition are dropped, never delivered. */
  seek(position: PartitionOffset, signal: AbortSignal): Promise<void>;
  pause(partitions: readonly Partition[]): void;
  resume(partitions: readonly Partition[]): void;
  /** Member id in the consumer group, "" before the first join. */
  memberId(): string;
  /**
   * Leaves the group and frees the client. Pending `revoked` events are delivered by `next` first, if it is being called; an event that
   * was delivered and not acknowledged counts as acknowledged. Idempotent. When `signal` aborts it rejects, and the client is freed in
   * the background without leaving: the group then notices by its session time-out.
   */
  close(signal: AbortSignal): Promise<void>;
}
