import type { OffsetMap } from "@headrace/sdk";
import type { ClientOwner } from "./clients.ts";

/** A source offset; null: none any more. */
export interface NewOffset {
  readonly partition: OffsetMap;
  readonly offset: OffsetMap | null;
}

/** An encoded record of an offsets topic. */
export interface OffsetRecord {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

/** The offsets topic of one connector, besides the worker's; the implementation stands in `runtime/src/offsets-topics.ts`. */
export interface OffsetsTopic {
  /** Each reads to the end first. */
  read(partitions: readonly OffsetMap[], signal: AbortSignal): Promise<readonly (OffsetMap | null)[]>;
  list(signal: AbortSignal): Promise<readonly { readonly partition: OffsetMap; readonly offset: OffsetMap }[]>;
  /** Records under the very keys that the topic has already. */
  encode(offsets: readonly NewOffset[]): readonly OffsetRecord[];
  /** Resolves when all are acknowledged. */
  write(offsets: readonly NewOffset[], signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

/** Whose offsets topic it is; its configurations are resolved. */
export type OffsetsOwner = Omit<ClientOwner, "task">;

/** Opens offsets topics with the settings of the connector's clients. */
export interface OffsetsTopics {
  /** Creates the topic if it is missing, with the settings of the worker's, and reads it to its end. */
  open(owner: OffsetsOwner, topic: string, signal: AbortSignal): Promise<OffsetsTopic>;
  /** Writes records in one transaction, under the transactional id of the connector's first task: no task may run. */
  writeInTransaction(
    owner: OffsetsOwner,
    topic: string,
    records: readonly OffsetRecord[],
    signal: AbortSignal,
  ): Promise<void>;
}
