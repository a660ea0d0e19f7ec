import {
  type CommittedRecord,
  type Logger,
  type OffsetMap,
  RetriableError,
  type SourceRecord,
  type SourceTask,
  type SourceTaskContext,
} from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import type { DeliveryFailure, RecordProducer, SettledBatch } from "../kafka/record-producer.ts";
import { ErrorHandler } from "./error-handler.ts";
import type { MetricSettings } from "./metric-window.ts";
import { type PartitionOffset, PendingOffsets } from "./pending-offsets.ts";
import type { OutboundBatch, SourcePipeline } from "./record-pipeline.ts";
import type { TaskBody, TaskControl } from "./runner.ts";
import { createSourceMetrics, type SourceMetrics } from "./source-metrics.ts";
import type { TolerancePolicy } from "./tolerance.ts";
import { abortable, createTurnKeeper, pause } from "./waiting.ts";

/** All that a source task needs from outside. */
export interface SourceTaskOptions {
  readonly label: string;
  readonly context: Omit<SourceTaskContext, "offset">;
  readonly openTask: (context: SourceTaskContext, signal: AbortSignal) => Promise<SourceTask>;
  readonly pipeline: SourcePipeline;
  readonly policy: TolerancePolicy;
  readonly openProducer: (options: { reportPositions: boolean; stopOnFailure: boolean }) => Promise<RecordProducer>;
  /** Creates a topic before its first record, where the connector asks for that; null: left to the broker. */
  readonly ensureTopic: ((topic: string, signal: AbortSignal) => Promise<void>) | null;
  readonly readOffset: (partition: OffsetMap, signal: AbortSignal) => Promise<OffsetMap | null>;
  /** Resolves when Kafka has acknowledged them all. */
  readonly writeOffsets: (offsets: readonly PartitionOffset[], signal: AbortSignal) => Promise<void>;
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

/** Pause after a poll that asked to be tried later. */
const RETRY_PAUSE_MS = 100;
/** Pause after a poll that brought nothing, so that a source that does not wait by itself does not spin. */
const EMPTY_PAUSE_MS = 1;
/** Time without any acknowledgement after which a task says that it waits for Kafka. */
const SILENCE_MS = 30_000;
/** Failures that say nothing about the record itself: it was never offered to Kafka, so it is never skipped. */
const NOT_THE_RECORD: ReadonlySet<string> = new Set([
  "_PURGE_QUEUE",
  "_PURGE_INFLIGHT",
  "_DESTROY",
  "_FATAL",
  "_FENCED",
]);

/** A batch that was handed to the producer. */
interface Sent {
  /** Its number in the pending offsets. */
  readonly sequence: number;
  readonly records: readonly SourceRecord[];
  readonly out: OutboundBatch;
  /**
   * `taken`: the producer has all of it. `torn`: it has only a head of it, so that nothing of it may ever count as acknowledged.
   * `early`: settled while `send` had not returned yet, so that this is not known.
   */
  state: "sending" | "taken" | "torn";
  early: SettledBatch | null;
}

/**
 * Runs a source task: poll → transforms → converters → produce → pending offsets → offset store → committed().
 *
 * Guarantees: invariants 1, 4 and 6. Three loops share the work: polling (which alone touches the connector's task), settling and
 * committing; the first that fails ends all. Assumption: the producer settles each batch once, under the number of its `send` call.
 */
export function createSourceTask(options: SourceTaskOptions): TaskBody {
  const metrics = createSourceMetrics(options.metricSettings);
  const handler = new ErrorHandler(options);
  return {
    async run(control) {
      const task = await openTask(options, control);
      let stuck = false;
      try {
        const producer = await options.openProducer({
          reportPositions: task.committed !== undefined,
          stopOnFailure: options.policy.tolerance === "none",
        });
        const run = new SourceRun({ options, control, task, producer, metrics, handler });
        const purge = () => void producer.close();
        control.ending.addEventListener("abort", purge, { once: true });
        try {
          await run.live();
        } finally {
          stuck = run.stuck;
          control.ending.removeEventListener("abort", purge);
          await producer.close();
        }
      } finally {
        if (!stuck) await closeTask(task, options, control);
      }
      if (stuck) throw new ConnectError("timeout", `The poll of ${options.label} did not end`);
    },
    metrics: () => ({ ...metrics.values(), ...handler.metrics() }),
  };
}

async function openTask(options: SourceTaskOptions, control: TaskControl): Promise<SourceTask> {
  const context: SourceTaskContext = {
    ...options.context,
    offset: (partition) => options.readOffset(partition, control.draining),
  };
  return await abortable(options.openTask(context, control.stopping), control.draining);
}

async function closeTask(task: SourceTask, options: SourceTaskOptions, control: TaskControl): Promise<void> {
  try {
    await abortable(task.close(), control.ending);
  } catch (error) {
    options.log.warn({ task: options.label, error: String(error) }, "task did not close cleanly");
  }
}

interface SourceRunParts {
  readonly options: SourceTaskOptions;
  readonly control: TaskControl;
  readonly task: SourceTask;
  readonly producer: RecordProducer;
  readonly metrics: SourceMetrics;
  readonly handler: ErrorHandler;
}

class SourceRun {
  readonly #options: SourceTaskOptions;
  readonly #control: TaskControl;
  readonly #task: SourceTask;
  readonly #producer: RecordProducer;
  readonly #metrics: SourceMetrics;
  readonly #handler: ErrorHandler;
  readonly #pending = new PendingOffsets();
  readonly #sent = new Map<number, Sent>();
  readonly #failing = new AbortController();
  /** Aborts when a batch must not be waited for any longer. */
  readonly #givingUp: AbortSignal;
  readonly #ensuredTopics = new Set<string>();
  readonly #untold: (readonly CommittedRecord[])[] = [];
  #sequence = 0;
  #sends = 0;
  #settledAt = 0;
  #refusal: Error | null = null;
  #purged: DeliveryFailure | null = null;
  /** The connector's poll did not end; its task cannot be closed. */
  stuck = false;

  constructor(parts: SourceRunParts) {
    this.#options = parts.options;
    this.#control = parts.control;
    this.#task = parts.task;
    this.#producer = parts.producer;
    this.#metrics = parts.metrics;
    this.#handler = parts.handler;
    this.#givingUp = AbortSignal.any([this.#control.draining, this.#failing.signal]);
  }

  async live(): Promise<void> {
    const done = new AbortController();
    const polling = AbortSignal.any([this.#control.stopping, this.#failing.signal]);
    const settling = this.#settle(done.signal);
    const watching = this.#watchSilence(done.signal);
    const committing = this.#commitRegularly(polling);
    try {
      await this.#poll(polling);
      if (!this.#failing.signal.aborted) await this.#flush();
    } catch (error) {
      this.#acceptQuietly();
      this.#fail(error);
    }
    done.abort();
    await Promise.all([settling, watching, committing]);
    this.#acceptQuietly();
    await this.#tellCommitted();
    await this.#commit(this.#control.ending);
    this.#failing.signal.throwIfAborted();
  }

  /** The first failure counts; polling ends by it. */
  #fail(error: unknown): void {
    if (this.#failing.signal.aborted) return;
    this.#failing.abort(error);
    if (!this.#control.stopping.aborted) this.#control.fail(error);
  }

  async #flush(): Promise<void> {
    try {
      await this.#producer.flush(this.#givingUp);
    } catch (error) {
      if (!this.#givingUp.aborted) throw error;
      const outstanding = this.#producer.outstanding();
      this.#options.log.warn({ task: this.#options.label, outstanding }, "records in flight when the task ended");
    }
  }

  async #poll(polling: AbortSignal): Promise<void> {
    const takeTurn = createTurnKeeper(this.#options.now);
    while (!polling.aborted) {
      if (this.#control.paused()) {
        this.#control.tell("PAUSED");
        await abortable(this.#control.resumed(), polling).catch(() => {});
        continue;
      }
      this.#control.tell("RUNNING");
      await this.#tellCommitted();
      this.#control.permit();
      const records = await this.#pollOnce(polling);
      if (records.length > 0) await this.#send(records);
      else await pause(EMPTY_PAUSE_MS, polling);
      await takeTurn();
    }
  }

  async #pollOnce(polling: AbortSignal): Promise<readonly SourceRecord[]> {
    const startedAt = this.#options.now();
    try {
      const records = await abortable(this.#task.poll(polling), this.#control.draining);
      if (records.length > 0) this.#metrics.polled(records.length, this.#options.now() - startedAt);
      return records;
    } catch (error) {
      if (this.#control.draining.aborted && error === this.#control.draining.reason) {
        this.stuck = true;
        this.#options.log.warn({ task: this.#options.label }, "poll did not end when the task was stopped");
        return [];
      }
      if (polling.aborted) return [];
      if (!(error instanceof RetriableError)) throw error;
      this.#options.log.warn({ task: this.#options.label, error: error.message }, "poll failed, retrying");
      await pause(RETRY_PAUSE_MS, polling);
      return [];
    }
  }

  /** Transforms, converts and queues one batch. Its offsets are pending before the producer hears of it. */
  async #send(records: readonly SourceRecord[]): Promise<void> {
    const out: OutboundBatch = { records: [], sources: [] };
    await this.#handler.guard(
      {
        run: (from) => this.#options.pipeline.run(records, from, out),
        describe: (index) => describeRecord(records[index]),
      },
      this.#control.draining,
    );
    this.#sequence += 1;
    const sequence = this.#sequence;
    this.#pending.add(sequence, records);
    if (out.records.length === 0) {
      this.#pending.settle(sequence);
      this.#toTell(records, out, null);
      return;
    }
    await this.#ensureTopics(out);
    const sent: Sent = { sequence, records, out, state: "sending", early: null };
    this.#sends += 1;
    const number = this.#sends;
    if (this.#sent.size === 0) this.#settledAt = this.#options.now();
    this.#sent.set(number, sent);
    this.#metrics.active(records.length);
    this.#control.permit();
    try {
      const taken = await this.#producer.send(out.records, this.#givingUp);
      if (taken !== number) throw new Error(`the producer counts batch ${number} as ${taken}`);
      sent.state = "taken";
    } catch (error) {
      sent.state = "torn";
      if (!this.#givingUp.aborted) throw error;
      this.#options.log.warn({ task: this.#options.label }, "queue still full when the task ended");
    }
    if (sent.early === null) return;
    this.#accept(sent.early);
    this.#acceptSettled();
  }

  async #ensureTopics(out: OutboundBatch): Promise<void> {
    const { ensureTopic } = this.#options;
    if (ensureTopic === null) return;
    for (const { topic } of out.records) {
      if (this.#ensuredTopics.has(topic)) continue;
      this.#control.permit();
      await ensureTopic(topic, this.#givingUp);
      this.#ensuredTopics.add(topic);
    }
  }

  /** Takes what Kafka has acknowledged or refused, as it comes, until the first record that must not be skipped. */
  async #settle(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#producer.settled(signal);
        this.#acceptSettled();
      } catch (error) {
        if (signal.aborted) return;
        this.#acceptQuietly();
        this.#fail(error);
        return;
      }
    }
  }

  async #watchSilence(signal: AbortSignal): Promise<void> {
    while (await pause(SILENCE_MS, signal)) {
      const silentMs = this.#options.now() - this.#settledAt;
      if (this.#sent.size === 0 || silentMs < SILENCE_MS) continue;
      const topics = new Set<string>();
      for (const { out } of this.#sent.values()) for (const { topic } of out.records) topics.add(topic);
      this.#options.log.warn(
        { task: this.#options.label, topics: [...topics], records: this.#producer.outstanding(), silentMs },
        "kafka acknowledges nothing; the broker may be away or the topic missing",
      );
    }
  }

  /** Throws for a refused record: that is told rather than what was purged behind it, whichever settles first. */
  #acceptSettled(): void {
    for (const batch of this.#producer.takeSettled()) this.#accept(batch);
    if (this.#refusal !== null) throw this.#refusal;
    if (this.#purged !== null && this.#producer.outstanding() === 0 && !this.#control.ending.aborted) {
      throw new ConnectError("kafka", `Records were dropped before Kafka took them: ${this.#purged.message}`);
    }
  }

  /** Only here do offsets become committable (invariant 1). */
  #accept(batch: SettledBatch): void {
    const sent = this.#sent.get(batch.batch);
    if (sent === undefined) throw new Error(`the producer settled batch ${batch.batch}, which was not sent`);
    if (sent.state === "sending") {
      sent.early = batch;
      return;
    }
    this.#sent.delete(batch.batch);
    this.#settledAt = this.#options.now();
    this.#metrics.active(-sent.records.length);
    if (sent.state === "torn" || !this.#tolerates(sent, batch.failures)) return;
    this.#pending.settle(sent.sequence);
    this.#metrics.written(sent.out.records.length - batch.failures.length);
    this.#tellTopics(sent.out, batch);
    this.#toTell(sent.records, sent.out, batch);
  }

  /** Whether all of a batch's failures may be skipped. */
  #tolerates(sent: Sent, failures: readonly DeliveryFailure[]): boolean {
    for (const { index, code, message } of failures) {
      if (NOT_THE_RECORD.has(code)) {
        this.#purged = { index, code, message };
        return false;
      }
      const topic = sent.out.records[index]?.topic ?? "";
      const error = new ConnectError("kafka", `Kafka refused a record for topic ${topic}: ${code}: ${message}`);
      const source = sent.records[sent.out.sources[index] ?? 0];
      const failed = { stage: "KAFKA_PRODUCE", plugin: "RecordProducer", error } as const;
      if (this.#handler.tolerates(failed, describeRecord(source))) continue;
      this.#refusal ??= error;
      return false;
    }
    return true;
  }

  #tellTopics(out: OutboundBatch, batch: SettledBatch): void {
    let last: string | null = null;
    const refused = new Set(batch.failures.map((failure) => failure.index));
    for (const [index, { topic }] of out.records.entries()) {
      if (topic === last || refused.has(index)) continue;
      last = topic;
      this.#options.activeTopic(topic);
    }
  }

  /** Queues what the connector wants to hear; it is told between polls. */
  #toTell(records: readonly SourceRecord[], out: OutboundBatch, batch: SettledBatch | null): void {
    if (this.#task.committed === undefined) return;
    const committed: CommittedRecord[] = records.map((record) => ({ record, metadata: null }));
    const refused = new Set(batch?.failures.map((failure) => failure.index));
    for (const [index, { topic }] of out.records.entries()) {
      const source = out.sources[index] ?? 0;
      const record = records[source];
      const partition = batch?.positions?.partitions[index];
      const offset = batch?.positions?.offsets[index];
      if (record === undefined || partition === undefined || offset === undefined || refused.has(index)) continue;
      committed[source] = { record, metadata: { topic, partition, offset } };
    }
    this.#untold.push(committed);
  }

  async #tellCommitted(): Promise<void> {
    for (let batch = this.#untold.shift(); batch !== undefined; batch = this.#untold.shift()) {
      try {
        await abortable(this.#task.committed?.(batch), this.#control.ending);
      } catch (error) {
        this.#options.log.error({ task: this.#options.label, error: String(error) }, "committed callback failed");
      }
    }
  }

  async #commitRegularly(polling: AbortSignal): Promise<void> {
    while (await pause(this.#options.flushIntervalMs, polling)) await this.#commit(this.#control.ending);
  }

  /** Stores what may be stored; what could not be is kept for the next time. Never rejects. */
  async #commit(signal: AbortSignal): Promise<void> {
    const offsets = this.#pending.take();
    if (offsets.length === 0) return;
    const startedAt = this.#options.now();
    try {
      this.#control.permit();
      const deadline = AbortSignal.timeout(this.#options.flushTimeoutMs);
      await this.#options.writeOffsets(offsets, AbortSignal.any([signal, deadline]));
      this.#metrics.commits.succeeded(this.#options.now() - startedAt);
    } catch (error) {
      this.#pending.giveBack(offsets);
      this.#metrics.commits.failed(this.#options.now() - startedAt);
      this.#options.log.warn({ task: this.#options.label, error: String(error) }, "offset commit failed");
    }
  }

  #acceptQuietly(): void {
    try {
      this.#acceptSettled();
    } catch (error) {
      this.#fail(error);
    }
  }
}

function describeRecord(record: SourceRecord | undefined): string {
  if (record === undefined) return "";
  return JSON.stringify(
    { topic: record.topic, sourcePartition: record.sourcePartition, sourceOffset: record.sourceOffset },
    (_, value: unknown) => (typeof value === "bigint" ? String(value) : value),
  );
}
