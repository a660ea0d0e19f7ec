import type { Logger, OffsetMap, SourceTask, SourceTaskContext } from "@headrace/sdk";
import type { RecordProducer, TransactionalProducer } from "../kafka/record-producer.ts";
import type { ErrorHandler } from "./error-handler.ts";
import type { MetricSettings } from "./metric-window.ts";
import type { PartitionOffset } from "./pending-offsets.ts";
import type { SourcePipeline } from "./record-pipeline.ts";
import type { TaskControl } from "./runner.ts";
import type { SourceMetrics } from "./source-metrics.ts";
import type { TolerancePolicy } from "./tolerance.ts";

/** All that a source task needs from outside. */
export interface SourceTaskOptions {
  readonly label: string;
  readonly context: Omit<SourceTaskContext, "offset" | "transactions">;
  readonly openTask: (context: SourceTaskContext, signal: AbortSignal) => Promise<SourceTask>;
  readonly pipeline: SourcePipeline;
  readonly policy: TolerancePolicy;
  readonly openProducer: (options: { reportPositions: boolean; stopOnFailure: boolean }) => Promise<RecordProducer>;
  /** Creates a topic before its first record, where the connector asks for that; null: left to the broker. */
  readonly ensureTopic: ((topic: string, signal: AbortSignal) => Promise<void>) | null;
  readonly offsets: TaskOffsets;
  /** null: at least once. */
  readonly exactlyOnce: ExactlyOnceOptions | null;
  /** A record was acknowledged in this topic; told for each batch. */
  readonly activeTopic: (topic: string) => void;
  readonly flushIntervalMs: number;
  readonly flushTimeoutMs: number;
  /** Not given: Kafka's defaults. */
  readonly metricSettings?: MetricSettings;
  readonly log: Logger;
  readonly now: () => number;
  readonly random: () => number;
}

/** Where a task's offsets are kept. */
export interface TaskOffsets {
  /** Reads to the end first. */
  read(partition: OffsetMap, signal: AbortSignal): Promise<OffsetMap | null>;
  /** Resolves when Kafka has acknowledged them all. */
  write(offsets: readonly PartitionOffset[], signal: AbortSignal): Promise<void>;
}

/** What exactly-once delivery needs besides (KIP-618, contract §7.2). */
export interface ExactlyOnceOptions {
  readonly boundary: TransactionBoundary;
  /** Has the leader fence the producers of the connector's former tasks. */
  readonly fence: (signal: AbortSignal) => Promise<void>;
  /** Made with the task's transactional id; every refused record stops it. */
  readonly openProducer: (options: { reportPositions: boolean }) => Promise<TransactionalProducer>;
  /** Reads the config topic to its end; whether this task still is what it says, and this worker's. */
  readonly isCurrent: (signal: AbortSignal) => Promise<boolean>;
  /** The topic that {@link TransactionalOffsets.encode} writes to. */
  readonly offsetsTopic: string;
  readonly offsets: TransactionalOffsets;
}

/** Offsets that the task's own producer writes, in the transaction of their records. */
export interface TransactionalOffsets {
  /** Records of the offsets topic, under the very keys that it has already. */
  encode(
    offsets: readonly PartitionOffset[],
    signal: AbortSignal,
  ): Promise<readonly { readonly key: Buffer; readonly value: Buffer | null }[]>;
  /** Their transaction was committed. */
  committed(offsets: readonly PartitionOffset[]): void;
}

/** What ends a transaction: every batch, a time, or the connector's word. */
export type TransactionBoundary =
  | { readonly kind: "poll" }
  | { readonly kind: "interval"; readonly intervalMs: number }
  | { readonly kind: "connector" };

/** What the parts of one run share. */
export interface SourceRunParts {
  readonly options: SourceTaskOptions;
  readonly control: TaskControl;
  readonly task: SourceTask;
  readonly metrics: SourceMetrics;
  readonly handler: ErrorHandler;
}
