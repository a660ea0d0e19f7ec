import type { Partition, RecordConsumer } from "../kafka/record-consumer.ts";
import { partitionKey } from "./sink-positions.ts";

/** Why nothing at all is fetched: the connector is paused, or a batch waits for its converters, or to be delivered again. */
export type Hold = "paused" | "conversion" | "redelivery";

/**
 * Which of a sink's partitions are fetched: none while there is a hold, otherwise all but those that the task itself has paused
 * (contract §7.3: those stay paused whatever else happens, and also when a rebalance takes them away and gives them back at once).
 */
export class SinkFlow {
  readonly #consumer: Pick<RecordConsumer, "pause" | "resume">;
  readonly #owned: () => readonly Partition[];
  readonly #holds = new Set<Hold>();
  #pausedByTask = new Map<string, Partition>();

  constructor(consumer: Pick<RecordConsumer, "pause" | "resume">, owned: () => readonly Partition[]) {
    this.#consumer = consumer;
    this.#owned = owned;
  }

  isHeld(by: Hold): boolean {
    return this.#holds.has(by);
  }

  hold(by: Hold): void {
    if (this.#holds.size === 0) this.#consumer.pause(this.#owned());
    this.#holds.add(by);
  }

  /** Ends a hold; without it or while there is another one, nothing changes. */
  release(by: Hold): void {
    if (!this.#holds.delete(by) || this.#holds.size > 0) return;
    this.#consumer.resume(this.#owned().filter((each) => !this.#pausedByTask.has(partitionKey(each))));
  }

  /** The task pauses partitions of its own. */
  pause(partitions: readonly Partition[]): void {
    this.#checkOwned("pause", partitions);
    for (const each of partitions) this.#pausedByTask.set(partitionKey(each), each);
    this.#consumer.pause(partitions);
  }

  /** The task resumes partitions; while there is a hold, they only stop being an exception. */
  resume(partitions: readonly Partition[]): void {
    this.#checkOwned("resume", partitions);
    for (const each of partitions) this.#pausedByTask.delete(partitionKey(each));
    if (this.#holds.size === 0) this.#consumer.resume(partitions);
  }

  /** Partitions have come; to be called once the consumer has them. */
  assigned(partitions: readonly Partition[]): void {
    const owned = new Set(this.#owned().map(partitionKey));
    this.#pausedByTask = new Map([...this.#pausedByTask].filter(([key]) => owned.has(key)));
    const still = partitions.filter((each) => this.#holds.size > 0 || this.#pausedByTask.has(partitionKey(each)));
    if (still.length > 0) this.#consumer.pause(still);
  }

  #checkOwned(verb: string, partitions: readonly Partition[]): void {
    const owned = new Set(this.#owned().map(partitionKey));
    const foreign = partitions.filter((each) => !owned.has(partitionKey(each)));
    if (foreign.length === 0) return;
    const names = foreign.map(({ topic, partition }) => `${topic}-${partition}`).join(", ");
    throw new Error(`A sink task may only ${verb} partitions that are assigned to it; ${names} are not`);
  }
}
