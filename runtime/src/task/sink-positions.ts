import type { InboundBatch, Partition, PartitionOffset } from "../kafka/record-consumer.ts";

/** Where a sink stands in one partition it owns. Offsets are the next to be read. */
interface PartitionState extends Partition {
  /** What `put` has taken, or was skipped; null while nothing is known. */
  processed: bigint | null;
  /** The last committed position, or the one that reading started from; null while unknown. */
  committed: bigint | null;
}

/** The positions of a sink task: what was put, what was committed (invariant 2). Pure. */
export class SinkPositions {
  readonly #partitions = new Map<string, PartitionState>();

  assign(partitions: readonly (Partition & { readonly offset: bigint | null })[]): void {
    for (const { topic, partition, offset } of partitions) {
      this.#partitions.set(partitionKey({ topic, partition }), {
        topic,
        partition,
        processed: offset,
        committed: offset,
      });
    }
  }

  revoke(partitions: readonly Partition[]): void {
    for (const each of partitions) this.#partitions.delete(partitionKey(each));
  }

  owns(partition: Partition): boolean {
    return this.#partitions.has(partitionKey(partition));
  }

  assignment(): readonly Partition[] {
    return [...this.#partitions.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  /** A batch arrives: where nothing was committed yet, its first records tell where reading started. */
  reached(starts: readonly PartitionOffset[]): void {
    for (const start of starts) {
      const state = this.#partitions.get(partitionKey(start));
      if (state !== undefined) state.committed ??= start.offset;
    }
  }

  /** `put` returned for everything below these offsets; partitions that are not owned any more are left out. */
  processed(ends: readonly PartitionOffset[]): void {
    for (const end of ends) {
      const state = this.#partitions.get(partitionKey(end));
      if (state !== undefined) state.processed = end.offset;
    }
  }

  /** Kafka has these offsets. */
  committed(offsets: readonly PartitionOffset[]): void {
    for (const each of offsets) {
      const state = this.#partitions.get(partitionKey(each));
      if (state !== undefined) state.committed = each.offset;
    }
  }

  /** The positions that `put` has reached, of all partitions or of some, as the sink is asked to make them durable. */
  current(among?: readonly Partition[]): readonly PartitionOffset[] {
    const states =
      among?.flatMap((each) => this.#partitions.get(partitionKey(each)) ?? []) ?? this.#partitions.values();
    return offsetsOf(states, (state) => state.processed);
  }

  /**
   * Of what the sink called safe: what it was asked about, not beyond what was put, and not committed already. What is beyond, or not
   * owned, is `refused`.
   */
  committable(
    safe: readonly PartitionOffset[],
    asked: readonly PartitionOffset[],
  ): {
    offsets: readonly PartitionOffset[];
    refused: readonly PartitionOffset[];
  } {
    const offsets: PartitionOffset[] = [];
    const refused: PartitionOffset[] = [];
    const requested = new Set(asked.map(partitionKey));
    for (const each of safe) {
      const state = this.#partitions.get(partitionKey(each));
      if (state === undefined || state.processed === null || each.offset > state.processed) refused.push(each);
      else if (each.offset !== state.committed && requested.has(partitionKey(each))) offsets.push(each);
    }
    return { offsets, refused };
  }

  /** Goes back to what is committed; returns the positions to read from. */
  rewind(): readonly PartitionOffset[] {
    const targets = offsetsOf(this.#partitions.values(), (state) => state.committed);
    this.processed(targets);
    return targets;
  }
}

function offsetsOf(
  states: Iterable<PartitionState>,
  choose: (state: PartitionState) => bigint | null,
): readonly PartitionOffset[] {
  const offsets: PartitionOffset[] = [];
  for (const state of states) {
    const offset = choose(state);
    if (offset !== null) offsets.push({ topic: state.topic, partition: state.partition, offset });
  }
  return offsets;
}

export function partitionKey(partition: Partition): string {
  return `${partition.partition}@${partition.topic}`;
}

/** First offset and next offset of each partition in a batch. */
export function spanOf(batch: InboundBatch): { starts: readonly PartitionOffset[]; ends: readonly PartitionOffset[] } {
  const starts = new Map<string, PartitionOffset>();
  const ends = new Map<string, PartitionOffset>();
  for (let index = 0; index < batch.count; ) {
    const topicIndex = batch.topicIndex[index] ?? 0;
    const partition = batch.partitions[index] ?? 0;
    let last = index;
    while (
      last + 1 < batch.count &&
      batch.topicIndex[last + 1] === topicIndex &&
      batch.partitions[last + 1] === partition
    ) {
      last += 1;
    }
    const where = { topic: batch.topics[topicIndex] ?? "", partition };
    const key = partitionKey(where);
    if (!starts.has(key)) starts.set(key, { ...where, offset: batch.offsets[index] ?? 0n });
    ends.set(key, { ...where, offset: (batch.offsets[last] ?? 0n) + 1n });
    index = last + 1;
  }
  return { starts: [...starts.values()], ends: [...ends.values()] };
}
