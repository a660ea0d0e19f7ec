import type { SinkRecord, TopicPartition } from "@headrace/sdk";

/**
 * What of a delivery was sent before it failed: the worker gives the same records again, and those are left out then.
 */
export class Outgoing {
  readonly #sent = new Map<string, Set<bigint>>();

  delivered({ original: { topic, partition, offset } }: SinkRecord): void {
    const key = `${topic} ${partition}`;
    const offsets = this.#sent.get(key) ?? new Set();
    this.#sent.set(key, offsets.add(offset));
  }

  isDelivered({ original: { topic, partition, offset } }: SinkRecord): boolean {
    return this.#sent.get(`${topic} ${partition}`)?.has(offset) === true;
  }

  /** The whole delivery is done: whatever comes now is meant. */
  settle(): void {
    this.#sent.clear();
  }

  forget(partitions: readonly TopicPartition[]): void {
    for (const { topic, partition } of partitions) this.#sent.delete(`${topic} ${partition}`);
  }
}
