import type { SinkRecord } from "@headrace/sdk";
import type { Partition, PartitionOffset } from "../kafka/record-consumer.ts";
import { partitionKey } from "./sink-positions.ts";

/** What one `put` is given, and the offsets that are processed once it has returned. */
export interface Delivery {
  readonly records: readonly SinkRecord[];
  readonly ends: readonly PartitionOffset[];
  /** How many times it was refused with RetriableError. */
  readonly attempts: number;
}

/** A `put` of nothing. */
export const NOTHING: Delivery = { records: [], ends: [], attempts: 0 };

/** A batch that the sink asked to get again, and when. */
export interface Redelivery extends Delivery {
  readonly dueAt: number;
}

/** How long a refused batch waits: what the task asked for, else the back-off, doubled each time up to its maximum. */
export function redeliveryDelay(
  options: { readonly retryBackoffMs: number; readonly retryBackoffMaxMs: number },
  attempts: number,
  askedMs: number | null,
): number {
  return askedMs ?? Math.min(options.retryBackoffMs * 2 ** attempts, options.retryBackoffMaxMs);
}

/** Appends what arrived meanwhile (invariant 4). */
export function extend(
  waiting: Redelivery,
  records: readonly SinkRecord[],
  ends: readonly PartitionOffset[],
): Redelivery {
  return { ...waiting, records: [...waiting.records, ...records], ends: [...waiting.ends, ...ends] };
}

/** Leaves out what lies in partitions that went away or are read again from elsewhere; null: nothing is left. */
export function without(waiting: Redelivery, partitions: readonly Partition[]): Redelivery | null {
  const dropped = new Set(partitions.map(partitionKey));
  const records = waiting.records.filter((record) => !dropped.has(partitionKey(record.original)));
  const ends = waiting.ends.filter((end) => !dropped.has(partitionKey(end)));
  return ends.length === 0 ? null : { ...waiting, records, ends };
}
