import type { z } from "zod";
import type { Header, SchemaAndValue } from "./schema.ts";
import type { ConnectorContext, ConnectorInstance, RawConfig, TaskContext } from "./source.ts";

/** One record on its way from Kafka to an external system. */
export interface SinkRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: SchemaAndValue;
  readonly value: SchemaAndValue;
  readonly headers: readonly Header[];
  /** Milliseconds since the epoch; null if the record has none. */
  readonly timestamp: number | null;
  /** Where the record lies in Kafka, whatever transforms made of `topic` and `partition`. */
  readonly original: { readonly topic: string; readonly partition: number; readonly offset: bigint };
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A position in a topic partition: the next offset to read. */
export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: bigint;
}

/** What the worker offers to a sink task. */
export interface SinkTaskContext extends TaskContext {
  /** All partitions the task owns now. */
  assignment(): readonly TopicPartition[];
  /** Goes on reading a partition at another offset, from the next delivery on. */
  rewind(position: TopicPartitionOffset): void;
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** Asks for an offset commit soon. */
  requestCommit(): void;
}

/** A running sink task. Calls never overlap. */
export interface SinkTask {
  /** Partitions were added. */
  open?(partitions: readonly TopicPartition[]): void | Promise<void>;
  /** Takes a batch, possibly an empty one. RetriableError: the same batch comes again later. */
  put(records: readonly SinkRecord[], signal: AbortSignal): Promise<void>;
  /** Makes durable what `put` took. Offsets are committed only after it returned. */
  flush?(signal: AbortSignal): Promise<void>;
  /** Instead of `flush`: the offsets that are safe to commit, at most those given. */
  preCommit?(offsets: readonly TopicPartitionOffset[], signal: AbortSignal): Promise<readonly TopicPartitionOffset[]>;
  /** Partitions go away; what belongs to them has been flushed, unless they were `lost`. */
  release?(partitions: readonly TopicPartition[], lost: boolean): void | Promise<void>;
  /** Called once, at the end. */
  close(): void | Promise<void>;
}

export interface SinkDefinition<S extends z.ZodObject = z.ZodObject> {
  readonly kind: "sink";
  readonly name: string;
  readonly version: string;
  readonly aliases?: readonly string[];
  readonly config: S;
  validate?(config: z.output<S>, signal: AbortSignal): Promise<Readonly<Record<string, readonly string[]>>>;
  open?(config: z.output<S>, context: ConnectorContext, signal: AbortSignal): Promise<ConnectorInstance>;
  /** Default: `maxTasks` tasks, all alike. */
  planTasks?(
    config: z.output<S>,
    maxTasks: number,
    signal: AbortSignal,
  ): readonly RawConfig[] | Promise<readonly RawConfig[]>;
  openTask(config: z.output<S>, context: SinkTaskContext, signal: AbortSignal): Promise<SinkTask>;
}

/** Declares a sink connector. */
export function defineSink<S extends z.ZodObject>(definition: Omit<SinkDefinition<S>, "kind">): SinkDefinition<S> {
  return { kind: "sink", ...definition };
}
