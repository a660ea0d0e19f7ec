import type { Logger } from "@headrace/sdk";
import { createCluster, type KafkaCluster, unlessAborted } from "./cluster.ts";
import { isConnectionError } from "./errors.ts";
import { type Broker, call, createErrorFromCode } from "./kafkajs.ts";
import { createLeaders } from "./leaders.ts";
import { partitionForKey } from "./partitioner.ts";
import { retrying } from "./retry.ts";
import type { KafkaClientSettings } from "./settings.ts";
import type { NewRecord } from "./topic-writer.ts";

export interface TransactionalWriterOptions {
  readonly settings: KafkaClientSettings;
  readonly topic: string;
  readonly transactionalId: string;
  readonly log: Logger;
}

/**
 * Writes to one topic in transactions, under a transactional id that one writer at a time holds: whoever claims it fences the one before.
 *
 * Guarantees: what `append` was given becomes visible to committed reads as a whole or not at all. After a rejection the id is not held
 * any more and must be claimed again; the rejected records may still have been written if the end of the transaction got lost.
 */
export interface TransactionalWriter {
  /** Takes the transactional id; what its last holder left open is aborted. Passing failures are retried until `signal` aborts. */
  claim(signal: AbortSignal): Promise<void>;
  /** Whether the id was claimed and no append has failed since. */
  holds(): boolean;
  /** One transaction, tried once. Calls are carried out one after the other. */
  append(records: readonly NewRecord[], signal: AbortSignal): Promise<void>;
  close(): void;
}

/** A writer that dies in the midst of a transaction holds committed reads up for so long; its successor's claim ends that sooner. */
const TRANSACTION_TIMEOUT_MS = 10_000;
const ACK_TIMEOUT_MS = 30_000;

/** The producer's identity of one claim, with the next sequence number per partition. */
interface Identity {
  readonly producerId: string;
  readonly producerEpoch: number;
  readonly sequences: Map<number, number>;
}

interface PartitionAnswer {
  readonly partition: number;
  readonly errorCode: number;
}

/** Makes a writer; it connects with its first claim. */
export function createTransactionalWriter(options: TransactionalWriterOptions): TransactionalWriter {
  const { settings, topic, transactionalId, log } = options;
  const cluster = createCluster(settings, log);
  const leaders = createLeaders(cluster, topic);
  let identity: Identity | null = null;
  let last: Promise<unknown> = Promise.resolve();

  /** One after the other, whatever became of the one before. */
  function inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = last.then(action, action);
    last = turn.catch(() => {});
    return turn;
  }

  function atCoordinator<T>(what: string, ask: (broker: Broker) => Promise<T>, signal: AbortSignal): Promise<T> {
    const attempt = async () => {
      const broker = await cluster.transactionCoordinator(transactionalId, signal);
      return asking(cluster, broker, ask(broker), signal);
    };
    return retrying({ what: `${what} of '${transactionalId}'`, backoff: settings, log }, attempt, signal);
  }

  async function claim(signal: AbortSignal): Promise<void> {
    identity = null;
    identity = await atCoordinator(
      "take over the transactions",
      async (broker) => {
        const answer = await call<{ errorCode: number; producerId: string; producerEpoch: number }>(
          broker,
          "InitProducerId",
          { transactionalId, transactionTimeout: TRANSACTION_TIMEOUT_MS },
        );
        throwIfFailed(answer.errorCode);
        return { producerId: answer.producerId, producerEpoch: answer.producerEpoch, sequences: new Map() };
      },
      signal,
    );
  }

  async function append(records: readonly NewRecord[], own: Identity, signal: AbortSignal): Promise<void> {
    if (leaders.partitions().length === 0) await leaders.refresh(signal);
    const count = leaders.partitions().length;
    const byPartition = Map.groupBy(records, ({ key }) => partitionForKey(key, count));
    const partitions = [...byPartition.keys()];
    const { producerId, producerEpoch } = own;
    const producer = { transactionalId, producerId, producerEpoch };
    await atCoordinator(
      "add to a transaction",
      async (broker) => {
        const answer = await call<{ errors: readonly { partitionErrors: readonly PartitionAnswer[] }[] }>(
          broker,
          "AddPartitionsToTxn",
          { ...producer, topics: [{ topic, partitions }] },
        );
        for (const { errorCode } of answer.errors.flatMap((each) => each.partitionErrors)) throwIfFailed(errorCode);
      },
      signal,
    );
    const brokers = await leaders.connect(partitions, signal);
    await Promise.all(
      [...brokers].map(([broker, led]) => produce(broker, led, { own, producer, byPartition }, signal)),
    );
    await atCoordinator(
      "commit a transaction",
      async (broker) => {
        const answer = await call<{ errorCode: number }>(broker, "EndTxn", { ...producer, transactionResult: true });
        throwIfFailed(answer.errorCode);
      },
      signal,
    );
  }

  async function produce(
    broker: Broker,
    partitions: readonly number[],
    what: { own: Identity; producer: object; byPartition: ReadonlyMap<number, readonly NewRecord[]> },
    signal: AbortSignal,
  ): Promise<void> {
    const { sequences } = what.own;
    const request = call<{ topics: readonly { partitions: readonly PartitionAnswer[] }[] }>(broker, "Produce", {
      ...what.producer,
      acks: -1,
      timeout: ACK_TIMEOUT_MS,
      topicData: [
        {
          topic,
          partitions: partitions.map((partition) => {
            const messages = what.byPartition.get(partition) ?? [];
            const firstSequence = sequences.get(partition) ?? 0;
            sequences.set(partition, firstSequence + messages.length);
            return { partition, messages, firstSequence };
          }),
        },
      ],
    });
    const { topics } = await asking(cluster, broker, request, signal);
    for (const { errorCode } of topics.flatMap((each) => each.partitions)) throwIfFailed(errorCode);
  }

  return {
    claim: (signal) => inTurn(() => claim(signal)),
    holds: () => identity !== null,
    append: (records, signal) =>
      inTurn(async () => {
        signal.throwIfAborted();
        const own = identity;
        if (own === null) throw new Error(`transactional id ${transactionalId} is not held`);
        try {
          await append(records, own, signal);
        } catch (error) {
          identity = null;
          leaders.invalidate();
          throw error;
        }
      }),
    close: () => cluster.close(),
  };
}

function throwIfFailed(errorCode: number): void {
  if (errorCode !== 0) throw createErrorFromCode(errorCode);
}

async function asking<T>(cluster: KafkaCluster, broker: Broker, request: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await unlessAborted(request, signal);
  } catch (error) {
    if (isConnectionError(error)) cluster.forget(broker);
    throw error;
  }
}
