/**
 * The producing half of the record path, as tasks see it. The one implementation stands on `native/`.
 *
 * A batch is the unit of everything: it is queued whole, and is *settled* once Kafka has acknowledged or finally refused each
 * of its records.
 */

import type { Utf8Text } from "@headrace/sdk";
import type { OAuthSettings } from "./settings.ts";

/** A record ready for the wire. A string is written as UTF-8; null is Kafka's null. What is not given counts as null. */
export interface OutboundRecord {
  readonly topic: string;
  /** null: by the key's murmur2 hash, as Java does; without a key, sticky random. */
  readonly partition?: number | null;
  readonly key?: Buffer | string | null;
  readonly value: Buffer | string | Utf8Text | null;
  readonly headers?: readonly OutboundHeader[] | null;
  /** Milliseconds since the epoch; null: now. */
  readonly timestamp?: number | null;
}

export interface OutboundHeader {
  readonly key: string;
  readonly value: Buffer | string | null;
}

/** A record that Kafka refused for good, or that was purged. `index` is its place in the batch. */
export interface DeliveryFailure {
  readonly index: number;
  /** librdkafka's error name without prefix, for instance `MSG_SIZE_TOO_LARGE`, `_PURGE_QUEUE`. */
  readonly code: string;
  readonly message: string;
}

/** A batch of which nothing is outstanding any more. */
export interface SettledBatch {
  /** The number that `send` returned. */
  readonly batch: number;
  /** Ordered by index; empty if everything was acknowledged. */
  readonly failures: readonly DeliveryFailure[];
  /** Kafka partition and offset per record (-1 for failed ones); null unless asked for by `reportPositions`. */
  readonly positions: { readonly partitions: Int32Array; readonly offsets: BigInt64Array } | null;
}

export interface RecordProducerOptions {
  /** librdkafka's property names, already translated by `client-config.ts`. */
  readonly config: Readonly<Record<string, string>>;
  /** Where OAUTHBEARER tokens come from; null or not given for every other mechanism. */
  readonly oauth?: OAuthSettings | null;
  /** Report each record's partition and offset; costs memory per record in flight. */
  readonly reportPositions: boolean;
  /**
   * true (tolerance none): after the first refused record nothing that was queued behind it is delivered: the rest of the queue
   * fails with `_PURGE_QUEUE` and `send` rejects from then on, so that no later record passes a refused one.
   */
  readonly stopOnFailure: boolean;
  /** What the client has to say, at most some hundred lines between two turns of the event loop; not given: dropped. */
  readonly onLog?: ((line: ClientLogLine) => void) | undefined;
}

/** A line of the client's log. `level` as in syslog(3): 3 is an error, 4 a warning, 6 information, 7 debugging. */
export interface ClientLogLine {
  readonly level: number;
  readonly message: string;
}

export interface RecordProducer {
  /**
   * Queues a batch and returns its number (1, 2, 3, … in order of calls) once every record was accepted; waits while the queue is full.
   * Calls must not overlap. Rejects if the producer has failed fatally or is closed, and when `signal` aborts; then a head of the batch
   * may have been queued and will be settled under the number it would have had, the rest of it as failed with `_PURGE_QUEUE`.
   */
  send(records: readonly OutboundRecord[], signal: AbortSignal): Promise<number>;
  /** Batches settled since the last call, in order of settling. Empties the list. */
  takeSettled(): readonly SettledBatch[];
  /** Resolves when `takeSettled` has something, or the producer failed fatally (then rejects). */
  settled(signal: AbortSignal): Promise<void>;
  /** Records queued or in flight. */
  outstanding(): number;
  /** Sends what lingers and resolves when nothing is outstanding. Rejects when `signal` aborts; nothing is lost by that. */
  flush(signal: AbortSignal): Promise<void>;
  /** Purges what is outstanding (it settles as failed) and frees the client; `flush` first to keep it. Idempotent. */
  close(): Promise<void>;
}

/**
 * A producer whose records belong to transactions: `initTransactions` once, then `begin` and `commit` or `abort` in turn. Calls do not
 * overlap. Any rejection ends the producer's use, except that `abort` may follow; a ConnectError with code `fenced` says that another
 * producer has taken its transactional id over.
 */
export interface TransactionalProducer extends RecordProducer {
  /** Takes the transactional id over: what its last owner had open is aborted, and that owner is fenced. */
  initTransactions(signal: AbortSignal): Promise<void>;
  begin(signal: AbortSignal): Promise<void>;
  /** Resolves when everything sent since `begin` is acknowledged and visible. Rejects if any of it was refused. */
  commit(signal: AbortSignal): Promise<void>;
  /** Everything sent since `begin` is dropped; what was not acknowledged settles as failed with `_PURGE_QUEUE` or `_PURGE_INFLIGHT`. */
  abort(signal: AbortSignal): Promise<void>;
}
