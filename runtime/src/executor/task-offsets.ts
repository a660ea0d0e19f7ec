import type { Logger, OffsetMap } from "@headrace/sdk";
import { toJson } from "../json.ts";
import { offsetsPlace } from "../offsets-place.ts";
import { canonicalKey, type PartitionOffset } from "../task/pending-offsets.ts";
import type { TaskOffsets, TransactionalOffsets } from "../task/source-options.ts";
import type { ClientOwner } from "./clients.ts";
import type { OffsetsTopic, OffsetsTopics } from "./offsets-topics.ts";

/** The worker's offsets topic, as executors reach it. */
export interface WorkerOffsets {
  readonly readOffsets: (
    connector: string,
    partitions: readonly OffsetMap[],
    signal: AbortSignal,
  ) => Promise<readonly (OffsetMap | null)[]>;
  readonly writeOffsets: (connector: string, offsets: readonly PartitionOffset[], signal: AbortSignal) => Promise<void>;
  /** The key bytes under which the topic has, or would have, these partitions. */
  readonly offsetKeys: (
    connector: string,
    partitions: readonly OffsetMap[],
    signal: AbortSignal,
  ) => Promise<readonly Buffer[]>;
}

/** One task's offsets, wherever its connector keeps them (contract §3). */
export interface OpenTaskOffsets extends TaskOffsets, TransactionalOffsets {
  /** The topic that transactions write to. */
  readonly topic: string;
  stop(): Promise<void>;
}

/** Time for the copy in the worker's topic, which nobody waits for. */
const COPY_TIMEOUT_MS = 30_000;

/**
 * Makes a task's offsets; nothing is opened before the first use.
 *
 * Reading: the connector's own topic wins per partition. Writing: the own topic, then the worker's as well as that goes, so that
 * the connector can come back to it.
 */
export function createTaskOffsets(
  worker: WorkerOffsets,
  topics: OffsetsTopics,
  owner: ClientOwner,
  log: Logger,
): OpenTaskOffsets {
  const { connector } = owner;
  const place = offsetsPlace(owner.worker, owner.connectorConfig);
  let opened: Promise<OffsetsTopic> | null = null;

  function own(signal: AbortSignal): Promise<OffsetsTopic> {
    opened ??= topics.open(owner, place.topic, signal).catch((error: unknown) => {
      opened = null;
      throw error;
    });
    return opened;
  }

  function copyToWorker(offsets: readonly PartitionOffset[]): void {
    worker.writeOffsets(connector, offsets, AbortSignal.timeout(COPY_TIMEOUT_MS)).catch((error: unknown) => {
      log.warn({ connector, error: String(error) }, "offsets of a connector's own topic are not in the worker's");
    });
  }

  async function readWorker(partition: OffsetMap, signal: AbortSignal): Promise<OffsetMap | null> {
    const [offset = null] = await worker.readOffsets(connector, [partition], signal);
    return offset;
  }

  if (place.kind === "worker") {
    const keys = new Map<string, Buffer>();
    return {
      topic: place.topic,
      read: readWorker,
      write: (offsets, signal) => worker.writeOffsets(connector, offsets, signal),
      async encode(offsets, signal) {
        // A partition keeps its key, so each is asked for once.
        const unknown = offsets.filter(({ partition }) => !keys.has(canonicalKey(partition)));
        if (unknown.length > 0) {
          const found = await worker.offsetKeys(
            connector,
            unknown.map(({ partition }) => partition),
            signal,
          );
          for (const [index, { partition }] of unknown.entries()) {
            const key = found[index];
            if (key !== undefined) keys.set(canonicalKey(partition), key);
          }
        }
        return offsets.map(({ partition, offset }) => {
          const key = keys.get(canonicalKey(partition));
          if (key === undefined) throw new Error(`the worker gave no key for a partition of ${connector}`);
          return { key, value: Buffer.from(toJson(offset)) };
        });
      },
      committed: () => {},
      stop: async () => {},
    };
  }
  return {
    topic: place.topic,
    async read(partition, signal) {
      const [theirs, ours] = await Promise.all([
        own(signal).then((topic) => topic.read([partition], signal)),
        readWorker(partition, signal),
      ]);
      return theirs[0] ?? ours;
    },
    async write(offsets, signal) {
      await (await own(signal)).write(offsets, signal);
      copyToWorker(offsets);
    },
    encode: async (offsets, signal) => (await own(signal)).encode(offsets),
    committed: copyToWorker,
    async stop() {
      const topic = await opened?.catch(() => null);
      await topic?.stop();
    },
  };
}
