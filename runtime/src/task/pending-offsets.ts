import type { OffsetMap, SourceRecord } from "@headrace/sdk";

export interface PartitionOffset {
  readonly partition: OffsetMap;
  readonly offset: OffsetMap;
}

/** The last offset that one batch brings for one source partition. */
interface Entry {
  offset: OffsetMap;
  settled: boolean;
}

interface Queue {
  readonly partition: OffsetMap;
  /** Batches in the order they were sent. */
  readonly entries: Entry[];
}

/**
 * Which source offsets may be stored: per source partition a queue of batches, of which only the contiguous settled head counts
 * (invariant 1). A batch that is never settled holds back everything behind it, for ever.
 *
 * Pure: no clock, no I/O. Source: org.apache.kafka.connect.runtime.SubmittedRecords, by batch instead of by record.
 */
export class PendingOffsets {
  readonly #queues = new Map<string, Queue>();
  readonly #batches = new Map<number, Entry[]>();
  #committable = new Map<string, PartitionOffset>();

  /** Adds a batch, in the order of sending; `batch` is any number not in use. Records that were dropped count as well. */
  add(batch: number, records: readonly SourceRecord[]): void {
    const entries: Entry[] = [];
    const touched = new Map<Queue, Entry>();
    let last: SourceRecord | null = null;
    let lastEntry: Entry | null = null;
    for (const record of records) {
      if (last === null || !sameMap(last.sourcePartition, record.sourcePartition)) {
        if (last !== null && lastEntry !== null) lastEntry.offset = last.sourceOffset;
        const queue = this.#queueOf(record.sourcePartition);
        lastEntry = touched.get(queue) ?? null;
        if (lastEntry === null) {
          lastEntry = { offset: record.sourceOffset, settled: false };
          touched.set(queue, lastEntry);
          queue.entries.push(lastEntry);
          entries.push(lastEntry);
        }
      }
      last = record;
    }
    if (last !== null && lastEntry !== null) lastEntry.offset = last.sourceOffset;
    this.#batches.set(batch, entries);
  }

  /** Every record of the batch was acknowledged, or deliberately skipped. */
  settle(batch: number): void {
    const entries = this.#batches.get(batch);
    if (entries === undefined) throw new Error(`batch ${batch} is not pending`);
    this.#batches.delete(batch);
    for (const entry of entries) entry.settled = true;
  }

  /** What may be stored now and has not been taken yet. Whoever takes it stores it or gives it back. */
  take(): readonly PartitionOffset[] {
    for (const [key, queue] of this.#queues) {
      let head: Entry | null = null;
      let settled = 0;
      for (const entry of queue.entries) {
        if (!entry.settled) break;
        head = entry;
        settled += 1;
      }
      queue.entries.splice(0, settled);
      if (head !== null) this.#committable.set(key, { partition: queue.partition, offset: head.offset });
      if (queue.entries.length === 0) this.#queues.delete(key);
    }
    const taken = [...this.#committable.values()];
    this.#committable = new Map();
    return taken;
  }

  /** Puts back what could not be stored; a newer offset of the same partition wins later. */
  giveBack(offsets: readonly PartitionOffset[]): void {
    for (const each of offsets) this.#committable.set(canonicalKey(each.partition), each);
  }

  /** Batches not settled yet. */
  outstanding(): number {
    return this.#batches.size;
  }

  #queueOf(partition: OffsetMap): Queue {
    const key = canonicalKey(partition);
    const known = this.#queues.get(key);
    if (known !== undefined) return known;
    const queue: Queue = { partition, entries: [] };
    this.#queues.set(key, queue);
    return queue;
  }
}

/** One text per map, whatever the order of its entries; 1 and 1n are the same partition. */
export function canonicalKey(map: OffsetMap): string {
  const names = Object.keys(map).sort();
  return JSON.stringify(names.map((name) => [name, scalarKey(map[name])]));
}

function scalarKey(value: OffsetMap[string] | undefined): unknown {
  return typeof value === "bigint" || typeof value === "number" ? [String(value)] : (value ?? null);
}

/** Cheap: true only if surely equal. */
function sameMap(left: OffsetMap, right: OffsetMap): boolean {
  if (left === right) return true;
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  for (const name of names) if (left[name] !== right[name]) return false;
  return true;
}
