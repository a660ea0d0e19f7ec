import type { StringMap } from "@headrace/contract";
import type { Logger, OffsetMap } from "@headrace/sdk";
import { canonicalPartition } from "./offset-key.ts";
import type { OffsetStore } from "./stores.ts";

/** A source partition with what is stored for it. */
export interface StoredSourceOffset {
  readonly partition: OffsetMap;
  readonly offset: OffsetMap;
}

/** A source partition with what is to be stored for it; null: nothing any more. */
export interface NewSourceOffset {
  readonly partition: OffsetMap;
  readonly offset: OffsetMap | null;
}

/** A source connector whose offsets are wanted; `config` is raw. */
export interface SourceOffsetsOwner {
  readonly connector: string;
  readonly config: StringMap;
}

/** Offsets of source connectors, wherever each one keeps them (contract §3). */
export interface SourceOffsets {
  list(owner: SourceOffsetsOwner, signal: AbortSignal): Promise<readonly StoredSourceOffset[]>;
  /** Resolves when they are stored. */
  write(owner: SourceOffsetsOwner, offsets: readonly NewSourceOffset[], signal: AbortSignal): Promise<void>;
}

/** The offsets topics that connectors have for themselves; only executors can reach them. */
export interface OwnOffsets extends SourceOffsets {
  /**
   * `worker`: it has none, its offsets are in the worker's topic. `own`: a topic of its own besides the worker's. `exclusive`: what this
   * says of the connector is all there is, wherever it lies (exactly-once, and the topic is the worker's).
   */
  storeOf(config: StringMap): "worker" | "own" | "exclusive";
}

/**
 * Joins the worker's store with those of the connectors. Reading: a connector's own store wins per partition. Writing: values go to the own
 * store first and to the worker's as well as that goes; tombstones go to the worker's first and must get there, or a partition that
 * was reset in one would come back from the other.
 */
export function createSourceOffsets(options: {
  readonly store: Pick<OffsetStore, "list" | "write">;
  readonly own: OwnOffsets | null;
  readonly log: Logger;
}): SourceOffsets {
  const { store, own, log } = options;
  return {
    async list(owner, signal) {
      const where = own?.storeOf(owner.config) ?? "worker";
      if (own === null || where === "worker") return store.list(owner.connector, signal);
      if (where === "exclusive") return own.list(owner, signal);
      const [theirs, ours] = await Promise.all([own.list(owner, signal), store.list(owner.connector, signal)]);
      const byPartition = new Map([...ours, ...theirs].map((entry) => [canonicalPartition(entry.partition), entry]));
      return [...byPartition.values()];
    },
    async write(owner, offsets, signal) {
      const where = own?.storeOf(owner.config) ?? "worker";
      if (own === null || where === "worker") return store.write(owner.connector, offsets, signal);
      if (where === "exclusive") return own.write(owner, offsets, signal);
      const tombstones = offsets.filter(({ offset }) => offset === null);
      const values = offsets.filter(({ offset }) => offset !== null);
      if (tombstones.length > 0) await store.write(owner.connector, tombstones, signal);
      await own.write(owner, offsets, signal);
      if (values.length === 0) return;
      try {
        await store.write(owner.connector, values, signal);
      } catch (error) {
        log.warn({ connector: owner.connector, error }, "offsets of a connector's own topic are not in the worker's");
      }
    },
  };
}
