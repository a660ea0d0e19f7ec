import type { SinkRecord } from "@headrace/sdk";
import type { InboundBatch, Partition, PartitionOffset } from "../kafka/record-consumer.ts";
import { toKept } from "./kept-records.ts";
import { partitionKey } from "./sink-positions.ts";
import { settlesWithin } from "./waiting.ts";

/** A batch that is through converters and transforms. */
export interface Converted {
  readonly batch: InboundBatch;
  readonly records: readonly SinkRecord[];
  /** The offsets that are processed once its records are put; none: all of its partitions went away. */
  readonly ends: readonly PartitionOffset[];
}

/** A batch on its way, as its conversion sees it. */
export interface Conversion {
  /** What has become of it so far; the conversion appends. */
  readonly records: SinkRecord[];
  /** Aborts when nothing of the batch is wanted any more. */
  readonly signal: AbortSignal;
  /** Where the batch is in memory now. */
  batch(): InboundBatch;
  /** Whether a record's partition has neither gone away nor is read again from elsewhere. */
  isWanted(index: number): boolean;
}

/** Takes a batch through converters and transforms. */
export type Convert = (conversion: Conversion) => Promise<void>;

/**
 * The batches of a sink on their way through converters and transforms, in order. One that has to wait, for a schema or for its next try, is kept
 * aside, so that the consumer is polled meanwhile: its partitions stay, and if they go away, their records are dropped and never put (invariant 3).
 */
export class SinkIntake {
  readonly #convert: Convert;
  readonly #patienceMs: number;
  /** The first of them is being converted. */
  #waiting: readonly Waiting[] = [];

  /** `patienceMs`: how long a batch may take before it is kept aside. */
  constructor(convert: Convert, patienceMs: number) {
    this.#convert = convert;
    this.#patienceMs = patienceMs;
  }

  /** Something is kept aside. */
  isBusy(): boolean {
    return this.#waiting.length > 0;
  }

  /** Aborts when {@link next} has something to say; null: nothing is kept aside. */
  ready(): AbortSignal | null {
    return this.#waiting[0]?.settled ?? null;
  }

  /** Converts a batch; null: it is kept aside. Rejects with what its conversion failed of. */
  async take(batch: InboundBatch, ends: readonly PartitionOffset[]): Promise<Converted | null> {
    if (this.isBusy()) {
      this.#waiting = [...this.#waiting, new Waiting(batch.copy(), ends)];
      return null;
    }
    const taken = new Waiting(batch, ends);
    const done = taken.start(this.#convert);
    if (await settlesWithin(done, this.#patienceMs)) {
      await done;
      return taken.converted();
    }
    taken.keep();
    this.#waiting = [taken];
    return null;
  }

  /** The next batch that was kept aside and is through; null while there is none. Rejects with what its conversion failed of. */
  async next(): Promise<Converted | null> {
    const [first, ...others] = this.#waiting;
    if (first === undefined || !first.settled.aborted) return null;
    this.#goOn(others);
    await first.done;
    return first.converted();
  }

  /** Partitions went away, or are read again from elsewhere: what waits of them is not wanted any more. */
  drop(partitions: readonly Partition[]): void {
    const dropped = new Set(partitions.map(partitionKey));
    for (const each of this.#waiting) each.drop(dropped);
    this.#goOn(this.#waiting.filter((each) => !each.isDropped()));
  }

  /** Nothing of what waits is wanted any more. */
  clear(): void {
    for (const each of this.#waiting) each.cancel();
    this.#waiting = [];
  }

  #goOn(waiting: readonly Waiting[]): void {
    this.#waiting = waiting;
    const [first] = waiting;
    if (first !== undefined && first.done === null) first.start(this.#convert);
  }
}

class Waiting implements Conversion {
  records: SinkRecord[] = [];
  #batch: InboundBatch;
  #ends: readonly PartitionOffset[];
  readonly #cancelled = new AbortController();
  readonly #settled = new AbortController();
  readonly #dropped = new Set<string>();
  done: Promise<void> | null = null;

  constructor(batch: InboundBatch, ends: readonly PartitionOffset[]) {
    this.#batch = batch;
    this.#ends = ends;
  }

  /** Aborts when `done` has settled. */
  get settled(): AbortSignal {
    return this.#settled.signal;
  }

  get signal(): AbortSignal {
    return this.#cancelled.signal;
  }

  batch(): InboundBatch {
    return this.#batch;
  }

  isWanted(index: number): boolean {
    if (this.#dropped.size === 0) return true;
    const { topics, topicIndex, partitions } = this.#batch;
    const topic = topics[topicIndex[index] ?? 0] ?? "";
    return !this.#dropped.has(partitionKey({ topic, partition: partitions[index] ?? 0 }));
  }

  start(convert: Convert): Promise<void> {
    const done = convert(this);
    this.done = done;
    const settle = () => this.#settled.abort();
    done.then(settle, settle);
    return done;
  }

  /** The consumer goes on: the batch needs memory of its own. */
  keep(): void {
    this.#batch = this.#batch.copy();
    this.records = toKept(this.records);
  }

  drop(partitions: ReadonlySet<string>): void {
    for (const each of partitions) this.#dropped.add(each);
    this.#ends = this.#ends.filter((end) => !partitions.has(partitionKey(end)));
    if (this.isDropped()) this.cancel();
  }

  /** Nothing of it is wanted any more. */
  isDropped(): boolean {
    return this.#ends.length === 0;
  }

  cancel(): void {
    this.#cancelled.abort();
  }

  converted(): Converted {
    const records =
      this.#dropped.size === 0
        ? this.records
        : this.records.filter(({ original }) => !this.#dropped.has(partitionKey(original)));
    return { batch: this.#batch, records, ends: this.#ends };
  }
}
