import type { SourceRecord, SourceTask, SourceTaskContext } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import type { RecordProducer } from "../kafka/record-producer.ts";
import { pause } from "../pause.ts";
import { CommittedRecords } from "./committed-records.ts";
import { ErrorHandler } from "./error-handler.ts";
import { ExactlyOnceRun, takeOver } from "./exactly-once-run.ts";
import { PendingOffsets } from "./pending-offsets.ts";
import type { TaskBody, TaskControl } from "./runner.ts";
import { SourceIntake } from "./source-intake.ts";
import { createSourceMetrics } from "./source-metrics.ts";
import type { SourceRunParts, SourceTaskOptions } from "./source-options.ts";
import { SentBatches } from "./source-sends.ts";
import { TransactionRequests } from "./transaction-requests.ts";
import { abortable, createTurnKeeper } from "./waiting.ts";

/** Pause after a poll that brought nothing, so that a source that does not wait by itself does not spin. */
const EMPTY_PAUSE_MS = 1;
/** Time without any acknowledgement after which a task says that it waits for Kafka. */
const SILENCE_MS = 30_000;

/**
 * Runs a source task: poll → transforms → converters → produce → pending offsets → offset store → committed(), or with exactly-once
 * delivery all of it in transactions.
 *
 * Guarantees: invariants 1, 3, 4 and 6.
 */
export function createSourceTask(options: SourceTaskOptions): TaskBody {
  const { exactlyOnce } = options;
  const metrics = createSourceMetrics(options.metricSettings, exactlyOnce !== null);
  const handler = new ErrorHandler(options);
  return {
    async run(control) {
      if (exactlyOnce === null) {
        const task = await openTask(options, null, control);
        await live({ options, control, task, metrics, handler }, async (parts) => {
          const producer = await options.openProducer({
            reportPositions: task.committed !== undefined,
            stopOnFailure: options.policy.tolerance === "none",
          });
          return { producer, run: new AtLeastOnceRun(parts, producer) };
        });
        return;
      }
      // Nothing of a former task can be written any more once this returns; only then may the offsets be read (KIP-618).
      const producer = await takeOver(options, exactlyOnce, control);
      if (producer === null) return;
      const requests = exactlyOnce.boundary.kind === "connector" ? new TransactionRequests() : null;
      let task: SourceTask;
      try {
        task = await openTask(options, requests, control);
      } catch (error) {
        await producer.close();
        throw error;
      }
      await live({ options, control, task, metrics, handler }, async (parts) => {
        return { producer, run: new ExactlyOnceRun({ ...parts, exactlyOnce, producer, requests }) };
      });
    },
    metrics: () => ({ ...metrics.values(), ...handler.metrics() }),
  };
}

/** One way to deliver; `stuck` as {@link SourceIntake.isStuck}. */
interface Run {
  live(): Promise<void>;
  isStuck(): boolean;
}

/** From an open task to its end: everything that was opened is closed. */
async function live(
  parts: SourceRunParts,
  open: (parts: SourceRunParts) => Promise<{ readonly producer: RecordProducer; readonly run: Run }>,
): Promise<void> {
  const { options, control, task } = parts;
  let stuck = false;
  try {
    const { producer, run } = await open(parts);
    const purge = () => void producer.close();
    control.ending.addEventListener("abort", purge, { once: true });
    try {
      await run.live();
    } finally {
      stuck = run.isStuck();
      control.ending.removeEventListener("abort", purge);
      await producer.close();
    }
  } finally {
    if (!stuck) await closeTask(task, options, control);
  }
  if (stuck) throw new ConnectError("timeout", `The poll of ${options.label} did not end`);
}

async function openTask(
  options: SourceTaskOptions,
  transactions: SourceTaskContext["transactions"],
  control: TaskControl,
): Promise<SourceTask> {
  const context: SourceTaskContext = {
    ...options.context,
    offset: (partition) => options.offsets.read(partition, control.draining),
    transactions,
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

/**
 * Three loops share the work: polling (which alone touches the connector's task, but for `released`), settling and committing; the first that
 * fails ends all.
 */
class AtLeastOnceRun implements Run {
  readonly #options: SourceTaskOptions;
  readonly #control: TaskControl;
  readonly #parts: SourceRunParts;
  readonly #producer: RecordProducer;
  readonly #intake: SourceIntake;
  readonly #sent: SentBatches;
  readonly #committed: CommittedRecords;
  readonly #pending = new PendingOffsets();
  readonly #failing = new AbortController();
  readonly #givingUp: AbortSignal;
  #sequence = 0;

  constructor(parts: SourceRunParts, producer: RecordProducer) {
    this.#options = parts.options;
    this.#control = parts.control;
    this.#parts = parts;
    this.#producer = producer;
    this.#givingUp = AbortSignal.any([this.#control.draining, this.#failing.signal]);
    this.#intake = new SourceIntake(parts);
    this.#committed = new CommittedRecords(parts);
    const [pending, committed, givingUp] = [this.#pending, this.#committed, this.#givingUp];
    const released = (records: readonly SourceRecord[]) => this.#release(records);
    this.#sent = new SentBatches({ ...parts, producer, pending, committed, released, givingUp });
  }

  isStuck(): boolean {
    return this.#intake.isStuck();
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
    await this.#committed.tell();
    await this.#commit(this.#control.ending);
    this.#failing.signal.throwIfAborted();
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
      await this.#committed.tell();
      this.#control.permit();
      const records = await this.#intake.poll(polling);
      if (records.length === 0) {
        await pause(EMPTY_PAUSE_MS, polling);
        continue;
      }
      const out = await this.#intake.encode(records, this.#givingUp);
      this.#sequence += 1;
      // Pending before the producer hears of them.
      this.#pending.add(this.#sequence, records);
      if (out.records.length > 0) {
        await this.#intake.ensureTopics(out, this.#givingUp);
        await this.#sent.send(this.#sequence, records, out);
      } else {
        this.#pending.settle(this.#sequence);
        this.#committed.add(records, out, null);
        this.#release(records);
      }
      await takeTurn();
    }
  }

  /** A connector that fails at this fails the task. */
  #release(records: readonly SourceRecord[]): void {
    this.#parts.task.released?.(records);
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

  /** Takes what Kafka has acknowledged or refused, as it comes, until the first record that must not be skipped. */
  async #settle(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#producer.settled(signal);
        this.#sent.acceptSettled();
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
      const silence = this.#sent.silence(SILENCE_MS);
      if (silence === null) continue;
      this.#options.log.warn(
        { task: this.#options.label, ...silence, records: this.#producer.outstanding() },
        "kafka acknowledges nothing; the broker may be away or the topic missing",
      );
    }
  }

  async #commitRegularly(polling: AbortSignal): Promise<void> {
    while (await pause(this.#options.flushIntervalMs, polling)) await this.#commit(this.#control.ending);
  }

  /** Stores what may be stored; what could not be is kept for the next time. Never rejects. */
  async #commit(signal: AbortSignal): Promise<void> {
    const { commits } = this.#parts.metrics;
    const offsets = this.#pending.take();
    if (offsets.length === 0) return;
    const startedAt = this.#options.now();
    try {
      this.#control.permit();
      const deadline = AbortSignal.timeout(this.#options.flushTimeoutMs);
      await this.#options.offsets.write(offsets, AbortSignal.any([signal, deadline]));
      commits.succeeded(this.#options.now() - startedAt);
    } catch (error) {
      this.#pending.giveBack(offsets);
      commits.failed(this.#options.now() - startedAt);
      this.#options.log.warn({ task: this.#options.label, error: String(error) }, "offset commit failed");
    }
  }

  #acceptQuietly(): void {
    try {
      this.#sent.acceptSettled();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The first failure counts; polling ends by it. */
  #fail(error: unknown): void {
    if (this.#failing.signal.aborted) return;
    this.#failing.abort(error);
    if (!this.#control.stopping.aborted) this.#control.fail(error);
  }
}
