import type { z } from "zod";
import type { PluginMetrics } from "./metrics.ts";
import type { Header, SchemaAndValue } from "./schema.ts";

/** A scalar of a source partition or offset; 64-bit integers that a number cannot hold are `bigint`. */
export type OffsetScalar = null | boolean | number | bigint | string;

/** A source partition or source offset: a flat map, stored as JSON in the offsets topic. */
export type OffsetMap = Readonly<Record<string, OffsetScalar>>;

/** One record on its way from an external system to Kafka. It must not be changed after `poll` has returned it. */
export interface SourceRecord {
  readonly topic: string;
  /** Kafka partition; not given or null: chosen by the key's hash as Java does. */
  readonly partition?: number | null;
  readonly key?: SchemaAndValue | null;
  readonly value: SchemaAndValue;
  readonly headers?: readonly Header[];
  /** Milliseconds since the epoch; not given or null: the time of sending. */
  readonly timestamp?: number | null;
  /** What the record was read from, for instance `{ filename }`. */
  readonly sourcePartition: OffsetMap;
  /** Where reading goes on **after** this record. */
  readonly sourceOffset: OffsetMap;
}

/** Where a record came to lie in Kafka; null for one that was filtered or skipped by the tolerance policy. */
export interface CommittedRecord {
  readonly record: SourceRecord;
  readonly metadata: { readonly topic: string; readonly partition: number; readonly offset: bigint } | null;
}

/** What the worker offers to a task. */
export interface TaskContext {
  readonly connector: string;
  readonly task: number;
  readonly log: Logger;
  /** Numbers of the task's own, served with the worker's. */
  readonly metrics: PluginMetrics;
}

/** What the worker offers to a source task. */
export interface SourceTaskContext extends TaskContext {
  /** The last stored offset of a source partition, or null. Reads the offsets topic to its end first. */
  offset(partition: OffsetMap): Promise<OffsetMap | null>;
  /** Where the task says itself what makes a transaction (`transaction.boundary=connector`); otherwise null. */
  readonly transactions: TransactionContext | null;
}

/**
 * The transaction boundaries of a source task, with exactly-once delivery (KIP-618). To be called from `poll`, for what that poll returns.
 *
 * What is aborted never becomes visible in Kafka, but its offsets are stored, so that it is not read again.
 */
export interface TransactionContext {
  /** Commits what was polled since the last boundary: up to the end of the batch being polled, or up to this record of it. */
  commitTransaction(record?: SourceRecord): void;
  /** Drops what was polled since the last boundary: up to the end of the batch being polled, or up to this record of it. */
  abortTransaction(record?: SourceRecord): void;
}

/** Whether a source gives each record exactly once if its offsets are kept; null: it cannot tell. */
export type ExactlyOnceSupport = "SUPPORTED" | "UNSUPPORTED" | null;

/** What the worker offers to a connector. */
export interface ConnectorContext {
  readonly connector: string;
  readonly log: Logger;
  /** Asks the worker to call `planTasks` again, for instance when new tables appeared. */
  requestTaskReconfiguration(): void;
}

/** Structured log of a connector: data in fields, a constant lower-case message. */
export interface Logger {
  error(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  info(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}

/** A running source task. Calls never overlap, except that `committed` may come between polls. */
export interface SourceTask {
  /**
   * The next batch; `[]` for nothing now. Must end soon after `signal` aborts. Throw RetriableError for "try later". Records must not be
   * changed, nor what is in them, after `poll` has returned them; memory that {@link SourceTask.released} gives back may be used again.
   */
  poll(signal: AbortSignal): Promise<readonly SourceRecord[]>;
  /** Called with records that Kafka has acknowledged (or that were skipped), in order per source partition. */
  committed?(records: readonly CommittedRecord[]): void | Promise<void>;
  /**
   * Called with what one `poll` gave, once at most, when the worker will not look at its keys, values and headers any more, so that memory
   * they point into can be used again ({@link Utf8Text}). Batches come in any order, also during a `poll` and before `committed` hands the
   * same records back; never after `close`. Not for every batch: what is given up at the end and what goes in transactions is left to the
   * garbage collector. What it throws fails the task.
   */
  released?(records: readonly SourceRecord[]): void;
  /** Called once, after the last poll has returned. */
  close(): void | Promise<void>;
}

/** The connector instance of a source or sink: watches the external system, plans tasks. Optional. */
export interface ConnectorInstance {
  close(): void | Promise<void>;
}

/** Configuration as written by the user: flat, all values strings. */
export type RawConfig = Readonly<Record<string, string>>;

export interface SourceDefinition<S extends z.ZodObject = z.ZodObject> {
  readonly kind: "source";
  readonly name: string;
  readonly version: string;
  /** Other names by which configurations may call it, for instance the Java class name. */
  readonly aliases?: readonly string[];
  readonly config: S;
  /** Checks that need more than one key, or the outside world: messages by key. */
  validate?(config: z.output<S>, signal: AbortSignal): Promise<Readonly<Record<string, readonly string[]>>>;
  /** Opens what watches the external system for as long as the connector runs. */
  open?(config: z.output<S>, context: ConnectorContext, signal: AbortSignal): Promise<ConnectorInstance>;
  /** One overlay on the connector's configuration per task, `maxTasks` at the most. */
  planTasks(
    config: z.output<S>,
    maxTasks: number,
    signal: AbortSignal,
  ): readonly RawConfig[] | Promise<readonly RawConfig[]>;
  openTask(config: z.output<S>, context: SourceTaskContext, signal: AbortSignal): Promise<SourceTask>;
  /** Asked where a configuration says `exactly.once.support=required`; not given: it cannot tell. */
  exactlyOnceSupport?(config: z.output<S>): ExactlyOnceSupport;
  /** Whether tasks of this configuration call {@link TransactionContext}; not given: they do not. */
  canDefineTransactionBoundaries?(config: z.output<S>): boolean;
  /** Whether offsets given over REST are acceptable; throws ConfigError if not. Returns true if nothing else is to be done. */
  alterOffsets?(
    config: z.output<S>,
    offsets: readonly { partition: OffsetMap; offset: OffsetMap | null }[],
  ): boolean | Promise<boolean>;
}

/** Declares a source connector. */
export function defineSource<S extends z.ZodObject>(
  definition: Omit<SourceDefinition<S>, "kind">,
): SourceDefinition<S> {
  return { kind: "source", ...definition };
}
