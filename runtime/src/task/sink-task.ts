import {
  type Logger,
  RetriableError,
  type SinkRecord,
  type SinkTask,
  type SinkTaskContext,
  type TopicPartition,
  type TopicPartitionOffset,
} from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import type {
  ConsumerEvent,
  InboundBatch,
  Partition,
  PartitionOffset,
  RecordConsumer,
} from "../kafka/record-consumer.ts";
import type { DeadLetters } from "./dead-letter.ts";
import { ErrorHandler } from "./error-handler.ts";
import type { SinkPipeline } from "./record-pipeline.ts";
import type { TaskBody, TaskControl } from "./runner.ts";
import { createSinkMetrics, type SinkMetrics } from "./sink-metrics.ts";
import { partitionKey, SinkPositions, spanOf } from "./sink-positions.ts";
import type { TolerancePolicy } from "./tolerance.ts";
import { abortable, createTurnKeeper } from "./waiting.ts";

/** All that a sink task needs from outside. */
export interface SinkTaskOptions {
  readonly label: string;
  readonly context: Pick<SinkTaskContext, "connector" | "task" | "log">;
  readonly openTask: (context: SinkTaskContext, signal: AbortSignal) => Promise<SinkTask>;
  readonly pipeline: SinkPipeline;
  readonly policy: TolerancePolicy;
  /** Opens the consumer, subscribed; whatever a dead predecessor left in the group is gone when it resolves. */
  readonly openConsumer: (signal: AbortSignal) => Promise<RecordConsumer>;
  /** Opens the dead letter queue; null: none is configured. */
  readonly openDeadLetters: (() => Promise<DeadLetters>) | null;
  /** A record was consumed from this topic; told once per topic. */
  readonly activeTopic: (topic: string) => void;
  readonly flushIntervalMs: number;
  readonly flushTimeoutMs: number;
  /** Pause before a batch is delivered again after RetriableError, doubled each time up to the maximum. */
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  readonly log: Logger;
  readonly now: () => number;
  readonly random: () => number;
}

/** Longest wait for an event; also the pace of empty puts. */
const IDLE_MS = 500;
/** Longest wait for the consumer to leave its group. */
const CLOSE_MS = 2_000;

/** A batch that the sink asked to get again. */
interface Redelivery {
  readonly records: readonly SinkRecord[];
  readonly ends: readonly PartitionOffset[];
  readonly attempts: number;
  readonly dueAt: number;
}

/** What the connector's task asked for through its context, until the loop takes it up. */
interface Requests {
  rewinds: Map<string, TopicPartitionOffset>;
  commit: boolean;
  /** Partitions that stay paused when the others are resumed. */
  readonly paused: Map<string, Partition>;
}

/**
 * Runs a sink task: consume → converters → transforms → put → flush → commit (contract §7.3).
 *
 * Guarantees: invariants 2, 3 and 4. One loop does everything in turn, so calls of the connector's task never overlap, and a revoked
 * partition is given up only after what it had was flushed and committed.
 */
export function createSinkTask(options: SinkTaskOptions): TaskBody {
  const metrics = createSinkMetrics();
  const handler = new ErrorHandler(options);
  let deadLetters: DeadLetters | null = null;
  return {
    async run(control) {
      try {
        deadLetters = (await options.openDeadLetters?.()) ?? null;
        await runSink({ options, control, metrics, handler, deadLetters });
      } finally {
        await deadLetters?.close();
      }
    },
    metrics: () => ({ ...metrics.values(), ...handler.metrics(), ...deadLetters?.metrics() }),
  };
}

interface SinkParts {
  readonly options: SinkTaskOptions;
  readonly control: TaskControl;
  readonly metrics: SinkMetrics;
  readonly handler: ErrorHandler;
  readonly deadLetters: DeadLetters | null;
}

async function runSink(parts: SinkParts): Promise<void> {
  const { options, control } = parts;
  const consumer = await options.openConsumer(control.stopping);
  try {
    const positions = new SinkPositions();
    const requests: Requests = { rewinds: new Map(), commit: false, paused: new Map() };
    const context = createContext(options, consumer, positions, requests);
    const task = await abortable(options.openTask(context, control.stopping), control.draining);
    await new SinkRun({ ...parts, consumer, positions, requests, task }).live();
  } finally {
    await leave(consumer, options);
  }
}

async function leave(consumer: RecordConsumer, options: SinkTaskOptions): Promise<void> {
  try {
    await consumer.close(AbortSignal.timeout(CLOSE_MS));
  } catch (error) {
    options.log.warn({ task: options.label, error: String(error) }, "consumer did not close cleanly");
  }
}

function createContext(
  options: SinkTaskOptions,
  consumer: RecordConsumer,
  positions: SinkPositions,
  requests: Requests,
): SinkTaskContext {
  return {
    ...options.context,
    assignment: () => positions.assignment(),
    rewind: (position) => {
      requests.rewinds.set(partitionKey(position), position);
    },
    pause(partitions: readonly TopicPartition[]) {
      for (const each of partitions) requests.paused.set(partitionKey(each), each);
      consumer.pause(partitions);
    },
    resume(partitions: readonly TopicPartition[]) {
      for (const each of partitions) requests.paused.delete(partitionKey(each));
      consumer.resume(partitions);
    },
    requestCommit: () => {
      requests.commit = true;
    },
  };
}

interface SinkRunParts extends SinkParts {
  readonly consumer: RecordConsumer;
  readonly positions: SinkPositions;
  readonly requests: Requests;
  readonly task: SinkTask;
}

class SinkRun {
  readonly #parts: SinkRunParts;
  readonly #activeTopics = new Set<string>();
  #redelivery: Redelivery | null = null;
  #commitAt: number;
  /** Partitions are paused because the connector is. */
  #standing = false;
  /** A call of the connector's task did not end; no other may be made. */
  #stuck = false;

  constructor(parts: SinkRunParts) {
    this.#parts = parts;
    this.#commitAt = parts.options.now() + parts.options.flushIntervalMs;
  }

  async live(): Promise<void> {
    const { control, options } = this.#parts;
    try {
      await this.#loop();
    } catch (error) {
      if (!control.stopping.aborted) control.fail(error);
      throw error;
    } finally {
      if (!this.#stuck) await this.#finish();
    }
    if (this.#stuck) throw new ConnectError("timeout", `A call of ${options.label} did not end`);
  }

  async #loop(): Promise<void> {
    const { control, options } = this.#parts;
    const takeTurn = createTurnKeeper(options.now);
    while (!control.stopping.aborted) {
      this.#followPause();
      if (this.#isCommitDue()) await this.#commit(control.ending, false);
      await this.#applyRewinds();
      const due = this.#dueRedelivery();
      if (due === null) await this.#next();
      else await this.#deliver(due.records, due.ends, due.attempts);
      await takeTurn();
    }
  }

  /** Takes one event from the consumer and deals with it. */
  async #next(): Promise<void> {
    const { consumer, control, options } = this.#parts;
    const now = options.now();
    const wakeAt = Math.min(now + IDLE_MS, this.#commitAt, this.#redelivery?.dueAt ?? Number.POSITIVE_INFINITY);
    let event: ConsumerEvent;
    try {
      event = await consumer.next(Math.max(1, wakeAt - now), control.stopping);
    } catch (error) {
      if (control.stopping.aborted) return;
      throw error;
    }
    switch (event.kind) {
      case "batch":
        return await this.#take(event.batch);
      case "assigned":
        return await this.#assigned(event.partitions);
      case "revoked":
        return await this.#revoked(event.partitions, event.lost);
      case "idle":
        if (this.#redelivery === null && !this.#standing) await this.#deliver([], [], 0);
        return;
      default:
        throw new Error(`unreachable: ${event satisfies never}`);
    }
  }

  async #take(batch: InboundBatch): Promise<void> {
    const { control, deadLetters, handler, metrics, options, positions } = this.#parts;
    const { starts, ends } = spanOf(batch);
    positions.reached(starts);
    for (const { topic } of starts) this.#tellTopic(topic);
    metrics.read(batch.count);
    const records: SinkRecord[] = [];
    await handler.guard(
      {
        run: (from) => options.pipeline.run(batch, from, records),
        describe: (index) => describeRecord(batch, index),
        skipped: (index, failed) => deadLetters?.add(batch, index, failed, control.draining),
      },
      control.draining,
    );
    if (this.#redelivery === null) return await this.#deliver(records, ends, 0);
    const waiting = this.#redelivery;
    this.#redelivery = { ...waiting, records: [...waiting.records, ...records], ends: [...waiting.ends, ...ends] };
  }

  /** One `put`. Only when it returned do its records count as processed. */
  async #deliver(records: readonly SinkRecord[], ends: readonly PartitionOffset[], attempts: number): Promise<void> {
    const { consumer, control, metrics, options, positions, task } = this.#parts;
    control.permit();
    const startedAt = options.now();
    try {
      await this.#unlessStuck(task.put(records, control.draining));
    } catch (error) {
      if (control.draining.aborted) return;
      if (!(error instanceof RetriableError)) {
        throw new ConnectError("internal", "Exiting WorkerSinkTask due to unrecoverable exception.", { cause: error });
      }
      if (this.#redelivery === null) consumer.pause(positions.assignment());
      const delayMs = Math.min(options.retryBackoffMs * 2 ** attempts, options.retryBackoffMaxMs);
      this.#redelivery = { records, ends, attempts: attempts + 1, dueAt: options.now() + delayMs };
      options.log.warn({ task: options.label, error: error.message, attempts: attempts + 1 }, "put failed, retrying");
      return;
    }
    metrics.put(records.length, options.now() - startedAt);
    positions.processed(ends);
    if (this.#redelivery !== null) this.#endRedelivery();
  }

  #dueRedelivery(): Redelivery | null {
    if (this.#redelivery === null || this.#standing) return null;
    return this.#redelivery.dueAt <= this.#parts.options.now() ? this.#redelivery : null;
  }

  #endRedelivery(): void {
    this.#redelivery = null;
    this.#resumeAllowed();
  }

  async #assigned(partitions: readonly (Partition & { readonly offset: bigint | null })[]): Promise<void> {
    const { consumer, metrics, positions, requests, task } = this.#parts;
    positions.assign(partitions);
    metrics.assigned(positions.assignment().length);
    await this.#unlessStuck(task.open?.(partitions.map(({ topic, partition }) => ({ topic, partition }))));
    const elsewhere: TopicPartitionOffset[] = [];
    for (const each of partitions) {
      const wanted = requests.rewinds.get(partitionKey(each));
      if (wanted === undefined) continue;
      requests.rewinds.delete(partitionKey(each));
      elsewhere.push(wanted);
    }
    positions.processed(elsewhere);
    consumer.acknowledge(elsewhere);
    if (this.#standing || this.#redelivery !== null) consumer.pause(partitions);
  }

  /** Invariant 3: nobody else gets the partitions before `acknowledge`, and that comes last. */
  async #revoked(partitions: readonly Partition[], lost: boolean): Promise<void> {
    const { consumer, control, metrics, positions, requests, task } = this.#parts;
    if (!lost) await this.#commit(control.ending, true);
    await this.#unlessStuck(task.release?.(partitions, lost));
    positions.revoke(partitions);
    metrics.assigned(positions.assignment().length);
    for (const each of partitions) {
      requests.paused.delete(partitionKey(each));
      requests.rewinds.delete(partitionKey(each));
    }
    this.#dropFromRedelivery(partitions);
    consumer.acknowledge();
  }

  #dropFromRedelivery(partitions: readonly Partition[]): void {
    const waiting = this.#redelivery;
    if (waiting === null) return;
    const dropped = new Set(partitions.map(partitionKey));
    const records = waiting.records.filter((record) => !dropped.has(partitionKey(record.original)));
    const ends = waiting.ends.filter((end) => !dropped.has(partitionKey(end)));
    if (ends.length === 0) this.#endRedelivery();
    else this.#redelivery = { ...waiting, records, ends };
  }

  #isCommitDue(): boolean {
    return this.#parts.requests.commit || this.#parts.options.now() >= this.#commitAt;
  }

  /** Flushes, then commits what the flush covered (invariant 2). `closing`: the partitions go away, so there is no going back. */
  async #commit(signal: AbortSignal, closing: boolean): Promise<void> {
    const { consumer, control, deadLetters, metrics, options, positions, requests } = this.#parts;
    requests.commit = false;
    this.#commitAt = options.now() + options.flushIntervalMs;
    if (!positions.isDirty()) return;
    control.permit();
    const startedAt = options.now();
    let safe: readonly PartitionOffset[];
    try {
      await deadLetters?.flush(AbortSignal.any([signal, AbortSignal.timeout(options.flushTimeoutMs)]));
      safe = await this.#flush(positions.current(), signal);
    } catch (error) {
      metrics.commits.failed(options.now() - startedAt);
      this.#warn(error, "flush failed, offsets are not committed");
      if (!closing && !this.#stuck) await this.#goBack();
      return;
    }
    const { offsets, refused } = positions.committable(safe);
    if (refused.length > 0) this.#warn(refused.map(partitionKey).join(", "), "offsets beyond what was put are ignored");
    if (offsets.length === 0) return metrics.skippedCommit();
    control.permit();
    try {
      await consumer.commit(offsets, AbortSignal.any([signal, AbortSignal.timeout(options.flushTimeoutMs)]));
      positions.committed(offsets);
      metrics.committed();
      metrics.commits.succeeded(options.now() - startedAt);
    } catch (error) {
      metrics.commits.failed(options.now() - startedAt);
      this.#warn(error, "offset commit failed");
    }
  }

  async #flush(current: readonly PartitionOffset[], signal: AbortSignal): Promise<readonly PartitionOffset[]> {
    const { task } = this.#parts;
    if (task.preCommit !== undefined) return await this.#unlessStuck(task.preCommit(current, signal));
    await this.#unlessStuck(task.flush?.(signal));
    return current;
  }

  /** After a failed flush everything since the last commit is delivered again. */
  async #goBack(): Promise<void> {
    const { consumer, control, positions } = this.#parts;
    for (const position of positions.rewind()) await consumer.seek(position, control.draining);
    if (this.#redelivery !== null) this.#endRedelivery();
  }

  async #applyRewinds(): Promise<void> {
    const { consumer, control, positions, requests } = this.#parts;
    if (requests.rewinds.size === 0) return;
    const wanted = [...requests.rewinds.values()].filter((position) => positions.owns(position));
    requests.rewinds = new Map();
    for (const position of wanted) await consumer.seek(position, control.draining);
    positions.processed(wanted);
    this.#dropFromRedelivery(wanted);
  }

  #followPause(): void {
    const { consumer, control, positions, requests } = this.#parts;
    const wanted = control.paused();
    if (wanted && !this.#standing) {
      this.#standing = true;
      requests.commit = true;
      consumer.pause(positions.assignment());
    }
    if (!wanted && this.#standing) {
      this.#standing = false;
      this.#resumeAllowed();
    }
    control.tell(wanted ? "PAUSED" : "RUNNING");
  }

  /** Resumes all partitions but those that must stay paused. */
  #resumeAllowed(): void {
    const { consumer, positions, requests } = this.#parts;
    if (this.#standing || this.#redelivery !== null) return;
    consumer.resume(positions.assignment().filter((each) => !requests.paused.has(partitionKey(each))));
  }

  /** The last flush and commit, then the end of the connector's task. After the lease was lost: only the end. */
  async #finish(): Promise<void> {
    const { control, options, positions, task } = this.#parts;
    let lost = false;
    try {
      await this.#commit(AbortSignal.any([control.ending, AbortSignal.timeout(options.flushTimeoutMs)]), true);
    } catch (error) {
      lost = true;
      this.#warn(error, "no last offset commit");
    }
    if (this.#stuck) return;
    try {
      const owned = positions.assignment();
      if (owned.length > 0 && !control.ending.aborted) await this.#unlessStuck(task.release?.(owned, lost));
      await abortable(task.close(), control.ending);
    } catch (error) {
      this.#warn(error, "task did not close cleanly");
    }
  }

  /** Waits for a call of the connector's task until the very end. */
  async #unlessStuck<T>(call: T | Promise<T>): Promise<T> {
    const { ending } = this.#parts.control;
    try {
      return await abortable(call, ending);
    } catch (error) {
      if (ending.aborted && error === ending.reason) this.#stuck = true;
      throw error;
    }
  }

  #tellTopic(topic: string): void {
    if (this.#activeTopics.has(topic)) return;
    this.#activeTopics.add(topic);
    this.#parts.options.activeTopic(topic);
  }

  #warn(error: unknown, message: string): void {
    const { log, label } = this.#parts.options;
    log.warn({ task: label, error: String(error) }, message);
  }
}

function describeRecord(batch: InboundBatch, index: number): string {
  const topic = batch.topics[batch.topicIndex[index] ?? 0];
  const [partition, offset, timestamp] = [batch.partitions[index], batch.offsets[index], batch.timestamps[index]];
  return `{topic='${topic}', partition=${partition}, offset=${offset}, timestamp=${timestamp}}`;
}
