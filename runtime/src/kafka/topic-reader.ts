import type { Logger } from "@headrace/sdk";
import { createBackoff } from "./backoff.ts";
import { type KafkaCluster, unlessAborted, within } from "./cluster.ts";
import { isConnectionError } from "./errors.ts";
import { decodeFetchResponse, type FetchedPartition, type LogRecord } from "./fetch-response.ts";
import { type Broker, createErrorFromCode, fetchRequestV11 } from "./kafkajs.ts";
import type { PartitionLeaders } from "./leaders.ts";
import { listOffsets } from "./list-offsets.ts";
import { retrying } from "./retry.ts";
import type { KafkaClientSettings } from "./settings.ts";

/** How long a broker may hold a fetch while there is nothing to read. A new record ends the wait at once; a partition that moves to this broker has to wait for the end. */
const LONG_POLL_MS = 1_000;
/** A fetch without an answer after the long poll and this is lost. */
const FETCH_GRACE_MS = 10_000;
const MAX_BYTES_PER_PARTITION = 1_048_576;
const MAX_BYTES = 16_777_216;
const OFFSET_OUT_OF_RANGE = 1;

export interface TopicReaderOptions {
  readonly cluster: KafkaCluster;
  readonly leaders: PartitionLeaders;
  readonly topic: string;
  /** Leaves out what was aborted, and reads no further than the first open transaction. */
  readonly readCommitted: boolean;
  readonly settings: KafkaClientSettings;
  /** Called with the records of one partition, in order. Must not throw. */
  readonly onRecords: (records: readonly LogRecord[]) => void;
  readonly log: Logger;
}

/** Reads all partitions of a topic from their beginning, for ever. */
export interface TopicReader {
  /** Finds the beginnings and starts to read. */
  start(signal: AbortSignal): Promise<void>;
  /**
   * Resolves when everything was delivered that the topic held when this was called. Committed reads wait for the end of the transactions
   * that are open then: behind the first of them there may be committed records.
   */
  readToEnd(signal: AbortSignal): Promise<void>;
  /** As {@link readToEnd}, without waiting for open transactions. */
  readToStable(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

interface Waiter {
  readonly ends: ReadonlyMap<number, bigint>;
  readonly resolve: () => void;
}

/**
 * Makes a reader; nothing runs before `start`.
 *
 * Guarantees: each record is delivered once, in order per partition, unless Kafka itself has lost or rewound a partition; then it is
 * read again from its beginning. Failures are retried until `stop`. One fetch waits at each leader.
 */
export function createTopicReader(options: TopicReaderOptions): TopicReader {
  const { cluster, leaders, topic, readCommitted, settings, log } = options;
  const stopping = new AbortController();
  const positions = new Map<number, bigint>();
  /** Partitions by the node that is read for them; the others wait for the finder. */
  const followed = new Map<number, Set<number>>();
  const orphans = new Set<number>();
  const waiters = new Set<Waiter>();
  const backoffs = new Map<number, ReturnType<typeof createBackoff>>();
  /** Positions at which a fetch said that there is more, but nothing came. */
  const stuck = new Map<number, bigint>();
  const loops = new Set<Promise<void>>();
  let wakeFinder = () => {};
  let currentEnds: Promise<ReadonlyMap<number, bigint>> | null = null;
  let nextEnds: Promise<ReadonlyMap<number, bigint>> | null = null;

  const background = (loop: Promise<void>) => {
    loops.add(loop);
    void loop.finally(() => loops.delete(loop));
  };

  function settleWaiters(): void {
    for (const waiter of waiters) {
      const reached = [...waiter.ends].every(([partition, end]) => (positions.get(partition) ?? 0n) >= end);
      if (!reached) continue;
      waiters.delete(waiter);
      waiter.resolve();
    }
  }

  function orphan(partitions: Iterable<number>): void {
    for (const partition of partitions) {
      for (const own of followed.values()) own.delete(partition);
      orphans.add(partition);
    }
    wakeFinder();
  }

  /** Gives orphaned partitions to the loop of their leader, as soon as they have one. */
  async function find(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(settings);
    while (!signal.aborted) {
      if (orphans.size === 0) {
        backoff.reset();
        const { promise, resolve } = Promise.withResolvers<void>();
        wakeFinder = resolve;
        await unlessAborted(promise, signal);
      }
      try {
        await leaders.refresh(signal);
        for (const partition of [...orphans]) adopt(partition, signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ err: error, topic }, "cannot find the leaders of a topic, trying again");
      }
      if (orphans.size > 0) await backoff.pause(signal);
    }
  }

  function adopt(partition: number, signal: AbortSignal): void {
    const node = leaders.of(partition);
    if (node === null) return;
    orphans.delete(partition);
    const own = followed.get(node);
    if (own !== undefined) {
      own.add(partition);
      return;
    }
    followed.set(node, new Set([partition]));
    background(follow(node, signal));
  }

  /** Reads from one node for as long as it leads something. */
  async function follow(node: number, signal: AbortSignal): Promise<void> {
    const own = followed.get(node) ?? new Set();
    const backoff = backoffs.get(node) ?? createBackoff(settings);
    backoffs.set(node, backoff);
    try {
      while (!signal.aborted && own.size > 0) {
        try {
          const refused = await fetchOnce(node, own, signal);
          if (refused.length === 0) {
            backoff.reset();
            continue;
          }
          for (const partition of refused) own.delete(partition);
          await backoff.pause(signal);
          orphan(refused);
        } catch (error) {
          if (signal.aborted) return;
          log.warn({ err: error, topic, node }, "cannot read from a kafka broker, trying again");
          await backoff.pause(signal);
          orphan([...own]);
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      followed.delete(node);
      if (own.size > 0) orphan([...own]);
    }
  }

  /** One fetch; returns the partitions that the node did not answer for. */
  async function fetchOnce(node: number, own: ReadonlySet<number>, signal: AbortSignal): Promise<readonly number[]> {
    const broker = await cluster.node(node, signal);
    const from = new Map([...own].map((partition) => [partition, positions.get(partition) ?? 0n]));
    const response = await requestFetch(broker, from, signal);
    if (response.errorCode !== 0) throw createErrorFromCode(response.errorCode);
    const allEmpty = response.partitions.every(({ next }) => next === null);
    const refused: number[] = [];
    for (const fetched of response.partitions) {
      if (fetched.errorCode === 0) deliver(fetched, allEmpty);
      else if (fetched.errorCode === OFFSET_OUT_OF_RANGE) await rewind(fetched.partition, signal);
      else {
        const reason = createErrorFromCode(fetched.errorCode);
        log.warn({ err: reason, topic, partition: fetched.partition, node }, "cannot read a partition, trying again");
        refused.push(fetched.partition);
      }
    }
    settleWaiters();
    return refused;
  }

  async function requestFetch(broker: Broker, from: ReadonlyMap<number, bigint>, signal: AbortSignal) {
    const partitions = [...from].map(([partition, offset]) => ({
      partition,
      fetchOffset: offset.toString(),
      maxBytes: MAX_BYTES_PER_PARTITION,
    }));
    const request = fetchRequestV11({
      replicaId: -1,
      maxWaitTime: LONG_POLL_MS,
      minBytes: 1,
      maxBytes: MAX_BYTES,
      isolationLevel: readCommitted ? 1 : 0,
      topics: [{ topic, partitions }],
    });
    const answer = broker.connectionPool.send({
      request,
      response: {
        decode: (raw) => decodeFetchResponse(raw, from, readCommitted),
        parse: async (decoded) => decoded,
      },
    });
    try {
      return await within(LONG_POLL_MS + FETCH_GRACE_MS, answer, signal);
    } catch (error) {
      if (isConnectionError(error)) cluster.forget(broker);
      throw error;
    }
  }

  function deliver({ partition, records, next, end }: FetchedPartition, allEmpty: boolean): void {
    const position = positions.get(partition) ?? 0n;
    if (records.length > 0) options.onRecords(records);
    if (next !== null && next > position) {
      positions.set(partition, next);
      stuck.delete(partition);
      return;
    }
    // The cleaner may have removed everything up to the end of the log, the last tombstones included. A full answer for other
    // partitions looks the same, so only an answer without any record counts, and only the second time.
    if (!allEmpty || end <= position) return;
    if (stuck.get(partition) === position) {
      positions.set(partition, end);
      stuck.delete(partition);
    } else {
      stuck.set(partition, position);
    }
  }

  async function rewind(partition: number, signal: AbortSignal): Promise<void> {
    const beginning = await listOffsets(
      { cluster, leaders, topic, partitions: [partition], at: "earliest", readCommitted: false },
      signal,
    );
    const offset = beginning.get(partition) ?? 0n;
    log.warn(
      { topic, partition, position: String(positions.get(partition)), offset: String(offset) },
      "position is out of range, reading the partition from its beginning",
    );
    positions.set(partition, offset);
  }

  async function offsets(
    at: "earliest" | "latest",
    signal: AbortSignal,
    stable = false,
  ): Promise<ReadonlyMap<number, bigint>> {
    const what = `look up the ${at} offsets of topic '${topic}'`;
    const isolation = { readCommitted: stable && readCommitted };
    return retrying(
      { what, backoff: settings, log },
      () => listOffsets({ cluster, leaders, topic, partitions: leaders.partitions(), at, ...isolation }, signal),
      signal,
    );
  }

  /** One question at a time. One that is already on its way is too old for new callers: they share the next. */
  async function ends(signal: AbortSignal): Promise<ReadonlyMap<number, bigint>> {
    nextEnds ??= (currentEnds ?? Promise.resolve())
      .catch(() => {})
      .then(() => {
        nextEnds = null;
        currentEnds = offsets("latest", stopping.signal).finally(() => {
          currentEnds = null;
        });
        return currentEnds;
      });
    return unlessAborted(nextEnds, signal);
  }

  async function reach(wanted: ReadonlyMap<number, bigint>, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { ends: wanted, resolve };
    waiters.add(waiter);
    settleWaiters();
    try {
      await unlessAborted(promise, AbortSignal.any([signal, stopping.signal]));
    } finally {
      waiters.delete(waiter);
    }
  }

  return {
    async start(signal) {
      await retrying({ what: `find topic '${topic}'`, backoff: settings, log }, () => leaders.refresh(signal), signal);
      for (const [partition, offset] of await offsets("earliest", signal)) positions.set(partition, offset);
      orphan(positions.keys());
      background(
        find(stopping.signal).catch((error: unknown) => {
          if (!stopping.signal.aborted) throw error;
        }),
      );
    },
    readToEnd: async (signal) => reach(await ends(signal), signal),
    readToStable: async (signal) => reach(await offsets("latest", signal, true), signal),
    async stop() {
      stopping.abort(new Error("the reader is stopped"));
      await Promise.allSettled(loops);
    },
  };
}
