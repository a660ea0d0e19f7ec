import { type Logger, RetriableError, type SinkTask, type SinkTaskContext } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import type { ConsumerEvent, InboundBatch, Partition, RecordConsumer } from "../kafka/record-consumer.ts";
import type { DeadLetters } from "./dead-letter.ts";
import { createErrantRecords, type ErrantRecords } from "./errant-records.ts";
import { ErrorHandler, type FailedRecord } from "./error-handler.ts";
import { toKept } from "./kept-records.ts";
import { DEFAULT_METRIC_SETTINGS, type MetricSettings } from "./metric-window.ts";
import { describeRaw, rawRecordOf } from "./raw-record.ts";
import type { SinkPipeline } from "./record-pipeline.ts";
import type { TaskBody, TaskControl } from "./runner.ts";
import { SinkCalls } from "./sink-calls.ts";
import { SinkCommits } from "./sink-commits.ts";
import { createSinkContext, SinkRequests } from "./sink-context.ts";
import { SinkFlow } from "./sink-flow.ts";
import { type Converted, SinkIntake } from "./sink-intake.ts";
import { createSinkMetrics, type SinkMetrics } from "./sink-metrics.ts";
import { SinkPositions, spanOf } from "./sink-positions.ts";
import { type Delivery, extend, NOTHING, type Redelivery, redeliveryDelay, without } from "./sink-redelivery.ts";
import type { TolerancePolicy } from "./tolerance.ts";
import { abortable, createTurnKeeper } from "./waiting.ts";

/** All that a sink task needs from outside. */
export interface SinkTaskOptions {
  readonly label: string;
  readonly context: Pick<SinkTaskContext, "connector" | "task" | "log" | "metrics">;
  readonly openTask: (context: SinkTaskContext, signal: AbortSignal) => Promise<SinkTask>;
  readonly pipeline: SinkPipeline;
  readonly policy: TolerancePolicy;
  /** Opens the consumer, subscribed; whatever a dead predecessor left in the group is gone when it resolves. */
  readonly openConsumer: (signal: AbortSignal) => Promise<RecordConsumer>;
  /** Removes a member from this task's consumer group, for a consumer that could not leave it itself. */
  readonly removeMember: (memberId: string, signal: AbortSignal) => Promise<void>;
  /** Opens the dead letter queue; null: none is configured. */
  readonly openDeadLetters: (() => Promise<DeadLetters>) | null;
  /** A record was consumed from this topic; told for each batch. */
  readonly activeTopic: (topic: string) => void;
  readonly flushIntervalMs: number;
  readonly flushTimeoutMs: number;
  /** Pause before a batch is delivered again after RetriableError, doubled each time up to the maximum. */
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  /** Not given: Kafka's defaults. */
  readonly metricSettings?: MetricSettings;
  readonly log: Logger;
  readonly now: () => number;
  readonly random: () => number;
}

/** Longest wait for an event; also the pace of empty puts. */
const IDLE_MS = 500;
/** Longest wait for the consumer to leave its group. */
const CLOSE_MS = 2_000;

/**
 * Runs a sink task: consume → converters → transforms → put → flush → commit (contract §7.3).
 *
 * Guarantees: invariants 2, 3 and 4. One loop does everything in turn, so calls of the connector's task never overlap, and a revoked
 * partition is given up only after what it had was flushed and committed.
 */
export function createSinkTask(options: SinkTaskOptions): TaskBody {
  const metrics = createSinkMetrics(options.metricSettings ?? DEFAULT_METRIC_SETTINGS);
  const handler = new ErrorHandler({ ...options, recordLabel: "consumed record is " });
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
    metrics: () => ({
      ...metrics.values(),
      ...handler.metrics(),
      "deadletterqueue-produce-requests": deadLetters?.metrics().requests ?? 0,
      "deadletterqueue-produce-failures": deadLetters?.metrics().failures ?? 0,
    }),
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
  const { options, control, handler, deadLetters } = parts;
  const consumer = await options.openConsumer(control.stopping);
  try {
    const positions = new SinkPositions();
    const requests = new SinkRequests();
    const flow = new SinkFlow(consumer, () => positions.assignment());
    const errants =
      deadLetters === null && !options.policy.logEnable
        ? null
        : createErrantRecords({ handler, deadLetters, encode: options.pipeline.encode, signal: control.draining });
    const context = createSinkContext({
      base: options.context,
      requests,
      positions,
      flow,
      errantRecords: errants?.reporter ?? null,
      now: options.now,
    });
    const task = await abortable(options.openTask(context, control.stopping), control.draining);
    await new SinkRun({ ...parts, consumer, positions, requests, flow, errants, task }).live();
  } finally {
    await leave(consumer, options);
  }
}

async function leave(consumer: RecordConsumer, options: SinkTaskOptions): Promise<void> {
  const memberId = consumer.memberId();
  try {
    await consumer.close(AbortSignal.timeout(CLOSE_MS));
  } catch (error) {
    options.log.warn({ task: options.label, error: String(error) }, "consumer did not close cleanly");
    if (memberId === "") return;
    // Its partitions would wait for the end of its session.
    const signal = AbortSignal.timeout(CLOSE_MS);
    await options.removeMember(memberId, signal).catch((cause: unknown) => {
      options.log.warn(
        { task: options.label, error: String(cause) },
        "its member stays in the consumer group until its session ends",
      );
    });
  }
}

interface SinkRunParts extends SinkParts {
  readonly consumer: RecordConsumer;
  readonly positions: SinkPositions;
  readonly requests: SinkRequests;
  readonly flow: SinkFlow;
  readonly errants: ErrantRecords | null;
  readonly task: SinkTask;
}

class SinkRun {
  readonly #parts: SinkRunParts;
  readonly #calls: SinkCalls;
  readonly #commits: SinkCommits;
  readonly #intake: SinkIntake;
  #redelivery: Redelivery | null = null;

  constructor(parts: SinkRunParts) {
    this.#parts = parts;
    this.#calls = new SinkCalls(parts.task, parts.control);
    const warn = (error: unknown, message: string) => this.#warn(error, message);
    this.#commits = new SinkCommits({ ...parts, ...parts.options, calls: this.#calls, warn });
    const { control, deadLetters, handler, options } = parts;
    this.#intake = new SinkIntake((taken) => {
      const untilDropped = AbortSignal.any([control.draining, taken.signal]);
      const loop = {
        run: (from: number) => options.pipeline.run(taken.batch(), from, taken.records),
        describe: (index: number) => describeRaw(rawRecordOf(taken.batch(), index)),
        failed: (index: number, failed: FailedRecord) =>
          deadLetters?.add(rawRecordOf(taken.batch(), index), failed, untilDropped),
        isWanted: (index: number) => taken.isWanted(index),
      };
      return handler.guard(loop, untilDropped);
    }, IDLE_MS);
  }

  async live(): Promise<void> {
    const { control, options } = this.#parts;
    try {
      await this.#loop();
    } catch (error) {
      if (!control.stopping.aborted) control.fail(error);
      throw error;
    } finally {
      if (!this.#calls.isStuck()) await this.#finish();
    }
    if (this.#calls.isStuck()) throw new ConnectError("timeout", `A call of ${options.label} did not end`);
  }

  async #loop(): Promise<void> {
    const { control, options } = this.#parts;
    const takeTurn = createTurnKeeper(options.now);
    while (!control.stopping.aborted) {
      this.#followPause();
      if ((await this.#commits.regular(control.ending)) === "flush-failed") await this.#goBack();
      await this.#applyRewinds();
      await this.#collect();
      const due = this.#dueRedelivery();
      if (due === null) await this.#next();
      else await this.#deliver(due);
      await takeTurn();
    }
  }

  /** Takes one event from the consumer and deals with it. */
  async #next(): Promise<void> {
    const { consumer, control } = this.#parts;
    const ready = this.#intake.ready();
    const signal = ready === null ? control.stopping : AbortSignal.any([control.stopping, ready]);
    let event: ConsumerEvent;
    try {
      event = await consumer.next(this.#patienceMs(), signal);
    } catch (error) {
      // What the consumer itself failed of is told only once.
      if (control.stopping.aborted || error === ready?.reason) return;
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
        if (this.#redelivery === null) await this.#deliver(NOTHING);
        return;
      default:
        throw new Error(`unreachable: ${event satisfies never}`);
    }
  }

  /** How long to wait for the consumer: until something else is due. */
  #patienceMs(): number {
    const { flow, options, requests } = this.#parts;
    const now = options.now();
    const next =
      this.#redelivery === null ? requests.timeoutAt() : flow.isHeld("paused") ? null : this.#redelivery.dueAt;
    return Math.max(1, Math.min(IDLE_MS, this.#commits.dueAt() - now, (next ?? Number.POSITIVE_INFINITY) - now));
  }

  async #take(batch: InboundBatch): Promise<void> {
    const { flow, metrics, options, positions } = this.#parts;
    const { starts, ends } = spanOf(batch);
    positions.reached(starts);
    for (const { topic } of starts) options.activeTopic(topic);
    metrics.read(batch.count);
    const converted = await this.#intake.take(batch, ends);
    if (converted === null) return flow.hold("conversion");
    if (this.#redelivery !== null) return this.#line(converted);
    this.#parts.errants?.delivering(batch);
    await this.#deliver({ ...converted, attempts: 0 });
  }

  /** What had to wait for its converters is put in its turn now: as a batch that is due to be delivered again. */
  async #collect(): Promise<void> {
    if (!this.#intake.isBusy()) return;
    for (let each = await this.#intake.next(); each !== null; each = await this.#intake.next()) {
      if (each.ends.length > 0) this.#line(each);
    }
    if (!this.#intake.isBusy()) this.#parts.flow.release("conversion");
  }

  /** Puts a batch behind what waits to be delivered. */
  #line({ batch, records: converted, ends }: Converted): void {
    const { errants, flow, options } = this.#parts;
    const records = toKept(converted);
    errants?.delivering(batch);
    this.#redelivery =
      this.#redelivery === null
        ? { records, ends, attempts: 0, dueAt: options.now() }
        : extend(this.#redelivery, records, ends);
    flow.hold("redelivery");
  }

  /** One `put`. Only when it returned do its records count as processed. */
  async #deliver(delivery: Delivery): Promise<void> {
    const { control, errants, flow, metrics, options, positions, requests } = this.#parts;
    const { records, ends, attempts } = delivery;
    control.permit();
    const startedAt = options.now();
    requests.takeTimeout();
    try {
      await this.#calls.put(records);
    } catch (error) {
      errants?.throwIfFailed();
      if (control.draining.aborted) return;
      if (!(error instanceof RetriableError)) {
        throw new ConnectError("internal", "Exiting WorkerSinkTask due to unrecoverable exception.", { cause: error });
      }
      const now = options.now();
      const askedAt = requests.takeTimeout();
      const delayMs = redeliveryDelay(options, attempts, askedAt === null ? null : askedAt - now);
      this.#redelivery = { records: toKept(records), ends, attempts: attempts + 1, dueAt: now + delayMs };
      flow.hold("redelivery");
      options.log.warn({ task: options.label, error: error.message, attempts: attempts + 1 }, "put failed, retrying");
      return;
    }
    errants?.throwIfFailed();
    metrics.put(records.length, options.now() - startedAt, this.#intake.isBusy());
    positions.processed(ends);
    this.#endRedelivery();
  }

  #dueRedelivery(): Redelivery | null {
    if (this.#redelivery === null || this.#parts.flow.isHeld("paused")) return null;
    return this.#redelivery.dueAt <= this.#parts.options.now() ? this.#redelivery : null;
  }

  #endRedelivery(): void {
    this.#redelivery = null;
    this.#parts.flow.release("redelivery");
  }

  /** What waits of partitions that went away or are read again from elsewhere is never put. */
  #dropWaiting(partitions: readonly Partition[]): void {
    this.#intake.drop(partitions);
    if (!this.#intake.isBusy()) this.#parts.flow.release("conversion");
    if (this.#redelivery === null) return;
    this.#redelivery = without(this.#redelivery, partitions);
    if (this.#redelivery === null) this.#endRedelivery();
  }

  /** New partitions: the task opens them and may say where they start. What it had before goes on untouched. */
  async #assigned(partitions: readonly (Partition & { readonly offset: bigint | null })[]): Promise<void> {
    const { consumer, flow, metrics, positions, requests } = this.#parts;
    positions.assign(partitions);
    metrics.assigned(positions.assignment().length);
    await this.#calls.open(partitions);
    const elsewhere = requests.takeRewinds(partitions);
    positions.processed(elsewhere);
    consumer.acknowledge(elsewhere);
    flow.assigned(partitions);
  }

  /** Flush, release, commit. Invariant 3: nobody else gets the partitions before `acknowledge`, and that comes last. */
  async #revoked(partitions: readonly Partition[], lost: boolean): Promise<void> {
    const { consumer, control, metrics, positions, requests } = this.#parts;
    const release = (notFlushed: boolean) => this.#calls.release(partitions, notFlushed);
    if (lost) await release(true);
    else await this.#commits.closing(partitions, release, control.ending);
    this.#commits.forget();
    positions.revoke(partitions);
    metrics.assigned(positions.assignment().length);
    requests.takeRewinds(partitions);
    this.#dropWaiting(partitions);
    consumer.acknowledge();
  }

  /** After a failed flush everything since the last commit is delivered again. */
  async #goBack(): Promise<void> {
    const { consumer, control, positions } = this.#parts;
    for (const position of positions.rewind()) await consumer.seek(position, control.draining);
    this.#intake.clear();
    this.#parts.flow.release("conversion");
    this.#endRedelivery();
  }

  async #applyRewinds(): Promise<void> {
    const { consumer, control, positions, requests } = this.#parts;
    const wanted = requests.takeRewinds().filter((position) => positions.owns(position));
    if (wanted.length === 0) return;
    for (const position of wanted) await consumer.seek(position, control.draining);
    positions.processed(wanted);
    this.#dropWaiting(wanted);
  }

  #followPause(): void {
    const { control, flow, requests } = this.#parts;
    const wanted = control.paused();
    if (wanted && !flow.isHeld("paused")) {
      flow.hold("paused");
      requests.commit = true;
    }
    if (!wanted) flow.release("paused");
    control.tell(wanted ? "PAUSED" : "RUNNING");
  }

  /** The last flush, release and commit, then the end of the connector's task. After the lease was lost: only the end. */
  async #finish(): Promise<void> {
    const { control, options, positions } = this.#parts;
    this.#intake.clear();
    const owned = positions.assignment();
    const deadline = AbortSignal.any([control.ending, AbortSignal.timeout(options.flushTimeoutMs)]);
    const release = async (lost: boolean) => {
      if (owned.length > 0 && !control.ending.aborted) await this.#calls.release(owned, lost);
    };
    try {
      await this.#commits.closing(owned, release, deadline);
    } catch (error) {
      this.#warn(error, "no last offset commit");
    }
    if (this.#calls.isStuck()) return;
    try {
      await this.#calls.close();
    } catch (error) {
      this.#warn(error, "task did not close cleanly");
    }
  }

  #warn(error: unknown, message: string): void {
    const { log, label } = this.#parts.options;
    log.warn({ task: label, error: String(error) }, message);
  }
}
