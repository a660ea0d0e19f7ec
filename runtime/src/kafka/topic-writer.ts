import type { Logger } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { createBackoff } from "./backoff.ts";
import { type KafkaCluster, unlessAborted } from "./cluster.ts";
import { errorMessage, isConnectionError, isRetriable } from "./errors.ts";
import { type Broker, call, createErrorFromCode } from "./kafkajs.ts";
import type { PartitionLeaders } from "./leaders.ts";
import { partitionForKey } from "./partitioner.ts";
import type { KafkaClientSettings } from "./settings.ts";

/** A record to append; null is a tombstone. */
export interface NewRecord {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

/**
 * Called before each attempt to send, the first is 0: what it throws withdraws the records that are not acknowledged yet, and is
 * what the append rejects with.
 */
export type BeforeAttempt = (attempt: number, signal: AbortSignal) => Promise<void>;

export interface TopicWriterOptions {
  readonly cluster: KafkaCluster;
  readonly leaders: PartitionLeaders;
  readonly topic: string;
  readonly settings: KafkaClientSettings;
  readonly log: Logger;
}

/** Appends to one topic, acks=all. */
export interface TopicWriter {
  /** Resolves when all records are acknowledged. Retries what passes until `signal` aborts. */
  append(records: readonly NewRecord[], before: BeforeAttempt | null, signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

const ACK_TIMEOUT_MS = 30_000;
/** One request stays below Kafka's default limit for a batch; a larger record goes alone. */
const ROUND_BYTES = 512 * 1024;
const RECORD_OVERHEAD = 32;

interface Append {
  /** What is not acknowledged yet, in order. */
  outstanding: readonly NewRecord[];
  readonly before: BeforeAttempt | null;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface ProduceResponse {
  readonly topics: readonly {
    readonly partitions: readonly { readonly partition: number; readonly errorCode: number }[];
  }[];
}

/**
 * Makes a writer.
 *
 * Guarantees: appends become visible in the order of the calls, per partition. Nothing is sent while something before it is
 * undecided, so that a retry can never put an older value last (DESIGN §4.4); appends that wait are sent together.
 * Assumptions: keys are partitioned as Java's default partitioner does; the number of partitions does not change.
 */
export function createTopicWriter({ cluster, leaders, topic, settings, log }: TopicWriterOptions): TopicWriter {
  const stopping = new AbortController();
  const queue: Append[] = [];
  let running: Promise<void> | null = null;

  async function run(): Promise<void> {
    while (queue.length > 0) await settle(takeRound());
  }

  function takeRound(): Append[] {
    const round: Append[] = [];
    let bytes = 0;
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      bytes += sizeOf(next.outstanding);
      if (round.length > 0 && bytes > ROUND_BYTES) break;
      round.push(next);
      queue.shift();
    }
    return round;
  }

  /** Sends until every append of the round is acknowledged, refused or withdrawn. */
  async function settle(round: readonly Append[]): Promise<void> {
    const backoff = createBackoff(settings);
    let open: readonly Append[] = round;
    for (let attempt = 0; open.length > 0; attempt++) {
      if (attempt > 0) await backoff.pause(stopping.signal).catch(() => {});
      const admitted = await Promise.all(open.map((append) => admit(append, attempt)));
      open = open.filter((_, index) => admitted[index]);
      if (open.length === 0) return;
      const failures = await send(open);
      for (const append of open) if (append.outstanding.length === 0) append.resolve();
      open = open.filter((append) => append.outstanding.length > 0);
      const final = failures.find((error) => !isRetriable(error));
      if (final === undefined) continue;
      if (open.length > 1) {
        // One of them is to blame; the others must not suffer for it.
        for (const append of open) await settle([append]);
      } else {
        const reason = `Could not write to topic '${topic}': ${errorMessage(final)}`;
        for (const append of open) append.reject(new ConnectError("kafka", reason, { cause: final }));
      }
      return;
    }
  }

  async function admit(append: Append, attempt: number): Promise<boolean> {
    const signal = AbortSignal.any([append.signal, stopping.signal]);
    try {
      signal.throwIfAborted();
      if (append.before !== null) await unlessAborted(append.before(attempt, signal), signal);
      return true;
    } catch (error) {
      append.reject(error);
      return false;
    }
  }

  /** One attempt. Takes what was acknowledged out of the appends and returns the failures of the rest. */
  async function send(open: readonly Append[]): Promise<readonly unknown[]> {
    const failures: unknown[] = [];
    try {
      if (leaders.partitions().length === 0) await leaders.refresh(stopping.signal);
      const count = leaders.partitions().length;
      const byPartition = Map.groupBy(
        open.flatMap(({ outstanding }) => outstanding),
        ({ key }) => partitionForKey(key, count),
      );
      const brokers = await leaders.connect([...byPartition.keys()], stopping.signal);
      const requests = [...brokers].map(async ([broker, partitions]) => {
        try {
          const acknowledged = await produce(broker, partitions, byPartition, failures);
          for (const append of open) {
            append.outstanding = append.outstanding.filter(({ key }) => !acknowledged.has(partitionForKey(key, count)));
          }
        } catch (error) {
          failures.push(error);
        }
      });
      await Promise.all(requests);
    } catch (error) {
      failures.push(error);
    }
    if (failures.length > 0) {
      leaders.invalidate();
      log.warn({ err: failures[0], topic }, "cannot write to kafka");
    }
    return failures;
  }

  async function produce(
    broker: Broker,
    partitions: readonly number[],
    records: ReadonlyMap<number, readonly NewRecord[]>,
    failures: unknown[],
  ): Promise<ReadonlySet<number>> {
    const acknowledged = new Set<number>();
    try {
      const request = call<ProduceResponse>(broker, "Produce", {
        acks: -1,
        timeout: ACK_TIMEOUT_MS,
        topicData: [
          {
            topic,
            partitions: partitions.map((partition) => ({ partition, messages: records.get(partition) ?? [] })),
          },
        ],
      });
      const response = await unlessAborted(request, stopping.signal);
      for (const { partition, errorCode } of response.topics.flatMap((answer) => answer.partitions)) {
        if (errorCode === 0) acknowledged.add(partition);
        else failures.push(createErrorFromCode(errorCode));
      }
      return acknowledged;
    } catch (error) {
      if (isConnectionError(error)) cluster.forget(broker);
      throw error;
    }
  }

  return {
    async append(records, before, signal) {
      signal.throwIfAborted();
      stopping.signal.throwIfAborted();
      if (records.length === 0) return;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      queue.push({ outstanding: records, before, signal, resolve, reject });
      running ??= run().finally(() => {
        running = null;
      });
      await unlessAborted(promise, signal);
    },
    async stop() {
      stopping.abort(new ConnectError("kafka", `The writer of topic '${topic}' is stopped`));
      await running;
    },
  };
}

function sizeOf(records: readonly NewRecord[]): number {
  return records.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0) + RECORD_OVERHEAD, 0);
}
