import type { KafkaCluster } from "./cluster.ts";
import { type Broker, createErrorFromCode } from "./kafkajs.ts";

const LEADER_NOT_AVAILABLE = 5;

/** Who leads the partitions of one topic, as far as we know. */
export interface PartitionLeaders {
  /** All partitions, as of the last refresh; empty before. */
  partitions(): readonly number[];
  /** The leader's node id, or null if there is none or it is not known. */
  of(partition: number): number | null;
  /** Asks Kafka. Rejects with the topic's own error, for instance UNKNOWN_TOPIC_OR_PARTITION. */
  refresh(signal: AbortSignal): Promise<void>;
  /** Connects to the leaders of some partitions. Refreshes if one is not known; rejects with LEADER_NOT_AVAILABLE if one has none. */
  connect(partitions: readonly number[], signal: AbortSignal): Promise<ReadonlyMap<Broker, readonly number[]>>;
  /** Drops what is known, because a leader has refused or is gone. */
  invalidate(): void;
}

/** Follows the leaders of a topic; nothing is known at first. */
export function createLeaders(cluster: KafkaCluster, topic: string): PartitionLeaders {
  let known = new Map<number, number | null>();
  let valid = false;
  const leaderOf = (partition: number) => (valid ? (known.get(partition) ?? null) : null);

  async function refresh(signal: AbortSignal): Promise<void> {
    const { errorCode, partitions } = await cluster.topic(topic, signal);
    if (errorCode !== 0) throw createErrorFromCode(errorCode);
    known = new Map(partitions.map(({ partition, leader }) => [partition, leader < 0 ? null : leader]));
    valid = true;
  }

  return {
    partitions: () => [...known.keys()],
    of: leaderOf,
    refresh,
    async connect(partitions, signal) {
      if (partitions.some((partition) => leaderOf(partition) === null)) await refresh(signal);
      const byNode = new Map<number, number[]>();
      for (const partition of partitions) {
        const node = leaderOf(partition);
        if (node === null) throw createErrorFromCode(LEADER_NOT_AVAILABLE);
        byNode.set(node, [...(byNode.get(node) ?? []), partition]);
      }
      const brokers = [...byNode].map(
        async ([node, own]): Promise<[Broker, number[]]> => [await cluster.node(node, signal), own],
      );
      return new Map(await Promise.all(brokers));
    },
    invalidate() {
      valid = false;
    },
  };
}
