import type { SinkRecord } from "@headrace/sdk";
import type { Row } from "../format/sink-format.ts";
import type { OpenObject } from "./open-object.ts";
import { isFullAfter, isFullBefore, isOverdue, type RotationLimits } from "./rotation.ts";

/** Objects of one topic partition that are completed at the same time. */
const MAX_FINISHING = 4;

/** A record that the format has taken. */
export interface PlacedRecord {
  readonly record: SinkRecord;
  readonly row: Row;
  /** Topic and path of the partitioner: one open object each. */
  readonly directory: string;
  /** Ms since the epoch. */
  readonly timestamp: number | null;
}

interface Round {
  /** Offset of its first record. */
  readonly start: bigint;
  readonly firstTimestamp: number | null;
  readonly openedAt: number;
  readonly objects: Map<string, OpenObject>;
  records: number;
  bytes: number;
  full: boolean;
}

export interface PartitionWriterOptions {
  readonly limits: RotationLimits;
  /** Opens the object that starts with this record. */
  readonly open: (placed: PlacedRecord) => OpenObject;
  readonly now: () => number;
  /** Told of each object that is complete. */
  readonly completed: () => void;
}

/**
 * The open objects of one topic partition of Kafka.
 *
 * Guarantees: a record is in exactly one object. All open objects are completed together (a round); the offset of a round's first record
 * is the one that is safe until all of them are there. Where rounds end depends on the records alone, unless there is a schedule: after a
 * kill the same objects are made again, under the same names. Each call may be repeated after it rejected.
 */
export class PartitionWriter {
  readonly #options: PartitionWriterOptions;
  #round: Round | null = null;
  #next: bigint | null = null;

  constructor(options: PartitionWriterOptions) {
    this.#options = options;
  }

  /** Whether this record was taken, or passed over, before: so it is when a batch comes again of which a part was taken. */
  hasTaken(offset: bigint): boolean {
    return this.#next !== null && offset < this.#next;
  }

  /** A record that goes into no object. */
  passOver(offset: bigint): void {
    // As in `add`: what was read before comes again, and what is open is of before.
    if (this.#round !== null && this.hasTaken(offset)) this.#round.full = true;
    this.#next = offset + 1n;
  }

  /** The first offset that is in no complete object; null: nothing is open. */
  pending(): bigint | null {
    return this.#round?.start ?? null;
  }

  /** Takes a record; completes what has to be complete before it and with it. Rejects before it has taken it, or after: see `hasTaken`. */
  async add(placed: PlacedRecord, signal: AbortSignal): Promise<void> {
    const { limits, open, now } = this.#options;
    const { record, row, directory, timestamp } = placed;
    await this.finishFull(signal);
    const before = this.#round;
    if (before !== null) {
      const openLayout = before.objects.get(directory)?.layout ?? null;
      const next = { timestamp, layout: row.layout, openLayout };
      // What was read before comes again: the topic was made anew, say. An object's records stay in the order of their offsets.
      const rewound = this.hasTaken(record.original.offset);
      before.full = rewound || isFullBefore(stateOf(before), next, limits);
      await this.finishFull(signal);
    }
    const { offset } = record.original;
    const round: Round = this.#round ?? {
      start: offset,
      firstTimestamp: timestamp,
      openedAt: now(),
      objects: new Map(),
      records: 0,
      bytes: 0,
      full: false,
    };
    const object = round.objects.get(directory) ?? open(placed);
    await object.add(row.content);
    round.objects.set(directory, object);
    round.records += 1;
    round.bytes += row.size;
    round.full = isFullAfter(stateOf(round), limits);
    this.#round = round;
    this.#next = offset + 1n;
    await object.advance(signal);
    await this.finishFull(signal);
  }

  /** Completes what is full, or what the schedule says. */
  async finishDue(signal: AbortSignal): Promise<void> {
    const { limits, now } = this.#options;
    if (this.#round !== null && isOverdue(stateOf(this.#round), now(), limits)) this.#round.full = true;
    await this.finishFull(signal);
  }

  async finishFull(signal: AbortSignal): Promise<void> {
    const round = this.#round;
    if (round === null || !round.full) return;
    const left = [...round.objects.entries()];
    const failures: unknown[] = [];
    const work = async () => {
      for (let each = left.shift(); each !== undefined && failures.length === 0; each = left.shift()) {
        const [directory, object] = each;
        try {
          await object.finish(signal);
          round.objects.delete(directory);
          this.#options.completed();
        } catch (error) {
          failures.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: MAX_FINISHING }, work));
    if (failures.length > 0) throw failures[0];
    this.#round = null;
  }

  /** Drops what is not complete. */
  async abandon(signal: AbortSignal): Promise<void> {
    const objects = [...(this.#round?.objects.values() ?? [])];
    this.#round = null;
    await Promise.all(objects.map((object) => object.abandon(signal)));
  }
}

const stateOf = ({ records, bytes, objects, firstTimestamp, openedAt }: Round) => ({
  records,
  bytes,
  objects: objects.size,
  firstTimestamp,
  openedAt,
});
