import type { z } from "zod";
import type { Header, SchemaAndValue } from "./schema.ts";
import type { ConnectorContext, ConnectorInstance, RawConfig, TaskContext } from "./source.ts";
import type { Utf8Text } from "./utf8-text.ts";

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

/**
 * Takes records that `put` could not deliver, while the rest of their batch goes on: they are counted, logged and written to the dead
 * letter queue as the connector's `errors.*` settings say.
 */
export interface ErrantRecordReporter {
  /**
   * Resolves when the record is where it belongs; offsets that cover it are committed only after that, whether anybody awaits it or not.
   * Rejects when `errors.tolerance` is `none`, and the task fails then.
   */
  report(record: SinkRecord, error: unknown): Promise<void>;
}

/** What the worker offers to a sink task. */
export interface SinkTaskContext extends TaskContext {
  /** Null unless a dead letter queue is configured or `errors.log.enable` is set: then a task throws what it cannot deliver. */
  readonly errantRecords: ErrantRecordReporter | null;
  /** All partitions the task owns now. */
  assignment(): readonly TopicPartition[];
  /** Goes on reading a partition at another offset, from the next delivery on. In `open`: starts there. */
  rewind(position: TopicPartitionOffset): void;
  /** Stops the delivery of partitions until `resume`, or until they are assigned to another task. Throws for others than the task's own. */
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** Asks for an offset commit soon. */
  requestCommit(): void;
  /**
   * The next `put` comes so many milliseconds from now at the latest, once: with the same batch after RetriableError, otherwise with what
   * there is, which may be nothing.
   */
  timeout(delayMs: number): void;
}

/** A running sink task. Calls never overlap. */
export interface SinkTask {
  /** Partitions were added: only the new ones. */
  open?(partitions: readonly TopicPartition[]): void | Promise<void>;
  /** Takes a batch, possibly an empty one. RetriableError: the same batch comes again later. */
  put(records: readonly SinkRecord[], signal: AbortSignal): Promise<void>;
  /** Makes durable what `put` took. Offsets are committed only after it returned; if it throws, what came since the last commit comes again. */
  flush?(signal: AbortSignal): Promise<void>;
  /**
   * Instead of `flush`, for sinks that keep the position themselves or write in the background: the offsets that are safe to commit, at
   * most those given. What is left out is not committed this time.
   */
  preCommit?(offsets: readonly TopicPartitionOffset[], signal: AbortSignal): Promise<readonly TopicPartitionOffset[]>;
  /** Partitions go away; what belongs to them was flushed right before and is committed right after, unless they were `lost`. */
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
  /**
   * Tasks take text as {@link Utf8Text}, where neither a transform nor the converter needs the string: its bytes are valid until `put` has
   * returned, a batch that comes again has strings. Default: text is always a string.
   */
  readonly takesUtf8Text?: boolean;
  validate?(config: z.output<S>, signal: AbortSignal): Promise<Readonly<Record<string, readonly string[]>>>;
  open?(config: z.output<S>, context: ConnectorContext, signal: AbortSignal): Promise<ConnectorInstance>;
  /** Default: `maxTasks` tasks, all alike. */
  planTasks?(
    config: z.output<S>,
    maxTasks: number,
    signal: AbortSignal,
  ): readonly RawConfig[] | Promise<readonly RawConfig[]>;
  openTask(config: z.output<S>, context: SinkTaskContext, signal: AbortSignal): Promise<SinkTask>;
  /**
   * Told of new positions in Kafka given over REST, before the consumer group's are changed; null: the position is forgotten. Throws if
   * they are not acceptable. Returns true if nothing else is to be done, false if the sink keeps positions elsewhere that have
   * to be changed by hand.
   */
  alterOffsets?(
    config: z.output<S>,
    offsets: readonly (TopicPartition & { readonly offset: bigint | null })[],
  ): boolean | Promise<boolean>;
}

/** Declares a sink connector. */
export function defineSink<S extends z.ZodObject>(definition: Omit<SinkDefinition<S>, "kind">): SinkDefinition<S> {
  return { kind: "sink", ...definition };
}
