import { type KafkaCluster, unlessAborted } from "./cluster.ts";
import { isConnectionError } from "./errors.ts";
import { call, createErrorFromCode } from "./kafkajs.ts";
import type { PartitionLeaders } from "./leaders.ts";

interface ListOffsetsResponse {
  readonly responses: readonly {
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number; readonly offset: string }[];
  }[];
}

export interface OffsetsQuery {
  readonly cluster: KafkaCluster;
  readonly leaders: PartitionLeaders;
  readonly topic: string;
  readonly partitions: readonly number[];
  readonly at: "earliest" | "latest";
  /** true: the end is where the first open transaction begins. */
  readonly readCommitted: boolean;
}

/** One attempt to ask the leaders for their partitions' first or next offsets. A failure makes the leaders be looked up again. */
export async function listOffsets(query: OffsetsQuery, signal: AbortSignal): Promise<ReadonlyMap<number, bigint>> {
  const { cluster, leaders, topic, at, readCommitted } = query;
  const timestamp = at === "earliest" ? -2 : -1;
  const offsets = new Map<number, bigint>();
  try {
    const brokers = await leaders.connect(query.partitions, signal);
    const requests = [...brokers].map(async ([broker, partitions]) => {
      const request = call<ListOffsetsResponse>(broker, "ListOffsets", {
        replicaId: -1,
        isolationLevel: readCommitted ? 1 : 0,
        topics: [{ topic, partitions: partitions.map((partition) => ({ partition, timestamp })) }],
      });
      try {
        const { responses } = await unlessAborted(request, signal);
        for (const { partition, errorCode, offset } of responses.flatMap((response) => response.partitions)) {
          if (errorCode !== 0) throw createErrorFromCode(errorCode);
          offsets.set(partition, BigInt(offset));
        }
      } catch (error) {
        if (isConnectionError(error)) cluster.forget(broker);
        throw error;
      }
    });
    await Promise.all(requests);
    return offsets;
  } catch (error) {
    leaders.invalidate();
    throw error;
  }
}
