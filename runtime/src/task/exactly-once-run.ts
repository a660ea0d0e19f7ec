import type { SourceRecord } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { NOT_THE_RECORD } from "../kafka/delivery-codes.ts";
import type { SettledBatch, TransactionalProducer } from "../kafka/record-producer.ts";
import { pause } from "../pause.ts";
import { CommittedRecords } from "./committed-records.ts";
import { canonicalKey, type PartitionOffset } from "./pending-offsets.ts";
import type { OutboundBatch } from "./record-pipeline.ts";
import type { TaskControl } from "./runner.ts";
import { SourceIntake } from "./source-intake.ts";
import type { ExactlyOnceOptions, SourceRunParts, SourceTaskOptions } from "./source-options.ts";
import type { TransactionRequests } from "./transaction-requests.ts";
import { abortable, createTurnKeeper } from "./waiting.ts";

/** Pause after a poll that brought nothing. */
const EMPTY_PAUSE_MS = 1;
/** Time for taking back an open transaction when the task ends, so that readers do not have to wait for its time-out. */
const ABORT_MS = 2_000;

/**
 * Makes sure that nothing of the connector's former tasks can be written any more, and that this task is still wanted (KIP-618): fences,
 * takes the transactional id, then reads the config topic to its end. Null if the task is being stopped, or is of yesterday:
 * then it has waited to be stopped, without a word.
 */
export async function takeOver(
  options: SourceTaskOptions,
  exactlyOnce: ExactlyOnceOptions,
  control: TaskControl,
): Promise<TransactionalProducer | null> {
  control.permit();
  await exactlyOnce.fence(control.stopping);
  const producer = await exactlyOnce.openProducer({ reportPositions: true });
  try {
    control.permit();
    await producer.initTransactions(control.stopping);
    if (await exactlyOnce.isCurrent(control.stopping)) return producer;
  } catch (error) {
    await producer.close();
    throw hint(error, options.label);
  }
  options.log.info({ task: options.label }, "task is not of the newest task set, waiting for its end");
  await producer.close();
  await aborted(control.stopping);
  return null;
}

export interface ExactlyOnceParts extends SourceRunParts {
  readonly exactlyOnce: ExactlyOnceOptions;
  readonly producer: TransactionalProducer;
  /** Only where the connector sets the boundaries. */
  readonly requests: TransactionRequests | null;
}

/** A part of a batch that was handed to the producer, for the connector that wants to hear of it. */
interface Part {
  readonly records: readonly SourceRecord[];
  readonly out: OutboundBatch;
  settled: SettledBatch | null;
  /** Its transaction was aborted. */
  dropped: boolean;
}

/**
 * Delivers records and their offsets in transactions (contract §7.2). One loop does everything but the polls, during which a
 * transaction may be committed that is due; another notices what Kafka refuses.
 *
 * Guarantees: an offset is visible exactly when the records up to it are, so that invariant 1 holds as a whole. What is not committed when
 * the task ends is dropped, with its offsets.
 */
export class ExactlyOnceRun {
  readonly #options: SourceTaskOptions;
  readonly #control: TaskControl;
  readonly #parts: ExactlyOnceParts;
  readonly #producer: TransactionalProducer;
  readonly #intake: SourceIntake;
  readonly #committed: CommittedRecords;
  readonly #failing = new AbortController();
  /** Aborts when a batch must not be waited for any longer. */
  readonly #givingUp: AbortSignal;
  /** The last offset of each source partition that no transaction has committed yet, aborted records included. */
  readonly #offsets = new Map<string, PartitionOffset>();
  /** By the number of their send, until they have settled. */
  readonly #sent = new Map<number, Part>();
  /** What the connector hears after the next commit: parts of the transaction, and of aborted ones. Empty if it does not listen. */
  #parked: Part[] = [];
  /** Topics and number of the records in the transaction. */
  readonly #topics = new Set<string>();
  #records = 0;
  #open = false;
  #sends = 0;
  #committedAt: number;

  constructor(parts: ExactlyOnceParts) {
    this.#options = parts.options;
    this.#control = parts.control;
    this.#parts = parts;
    this.#producer = parts.producer;
    this.#intake = new SourceIntake(parts);
    this.#committed = new CommittedRecords(parts);
    this.#givingUp = AbortSignal.any([this.#control.draining, this.#failing.signal]);
    this.#committedAt = parts.options.now();
  }

  isStuck(): boolean {
    return this.#intake.isStuck();
  }

  async live(): Promise<void> {
    const done = new AbortController();
    const polling = AbortSignal.any([this.#control.stopping, this.#failing.signal]);
    const settling = this.#settle(done.signal);
    try {
      await this.#poll(polling);
      if (!this.#failing.signal.aborted) await this.#finish();
    } catch (error) {
      this.#fail(error);
    }
    done.abort();
    await settling;
    await this.#committed.tell();
    if (this.#open) await this.#giveUp();
    this.#failing.signal.throwIfAborted();
  }

  async #poll(polling: AbortSignal): Promise<void> {
    const takeTurn = createTurnKeeper(this.#options.now);
    while (!polling.aborted) {
      if (this.#control.paused()) {
        // A transaction that stays open would hold up readers, and time out.
        await this.#commit();
        await this.#committed.tell();
        this.#control.tell("PAUSED");
        await abortable(this.#control.resumed(), polling).catch(() => {});
        continue;
      }
      this.#control.tell("RUNNING");
      await this.#committed.tell();
      this.#control.permit();
      const records = await this.#besides(this.#intake.poll(polling));
      if (records.length > 0) await this.#deliver(records);
      await this.#endBatch();
      if (records.length === 0) await pause(EMPTY_PAUSE_MS, polling);
      await takeTurn();
    }
  }

  /** Waits for what sends nothing; a transaction that becomes due meanwhile is committed: all of it was sent before. */
  async #besides<T>(work: Promise<T>): Promise<T> {
    const { boundary } = this.#parts.exactlyOnce;
    if (boundary.kind !== "interval" || !this.#open) return await work;
    const ended = new AbortController();
    const ending = work.finally(() => ended.abort()).catch(() => {});
    const due = await pause(Math.max(0, this.#committedAt + boundary.intervalMs - this.#options.now()), ended.signal);
    if (due) {
      try {
        await this.#commit();
      } catch (error) {
        this.#fail(error); // Ends the work.
      }
    }
    await ending;
    return await work;
  }

  /** Sends a batch, cut where the connector wants a transaction to end. */
  async #deliver(records: readonly SourceRecord[]): Promise<void> {
    const { requests } = this.#parts;
    const out = await this.#besides(this.#intake.encode(records, this.#givingUp));
    this.#refuseOffsetsTopic(out);
    await this.#intake.ensureTopics(out, this.#givingUp);
    if (requests === null || !requests.cutsBatches()) return await this.#send(records, out);
    let from = 0;
    let taken = 0;
    for (const [index, record] of records.entries()) {
      const request = requests.takeRecord(record);
      if (request === null && index < records.length - 1) continue;
      let end = taken;
      while (end < out.sources.length && (out.sources[end] ?? 0) <= index) end += 1;
      const part = {
        records: out.records.slice(taken, end),
        sources: out.sources.slice(taken, end).map((source) => source - from),
      };
      await this.#send(records.slice(from, index + 1), part);
      from = index + 1;
      taken = end;
      if (request === "abort") await this.#abort();
      if (request === "commit") await this.#commit();
    }
  }

  async #send(records: readonly SourceRecord[], out: OutboundBatch): Promise<void> {
    for (const [index, record] of records.entries()) {
      const { sourcePartition: partition } = record;
      // The last one of a partition counts, and most follow one another.
      if (records[index + 1]?.sourcePartition === partition) continue;
      this.#offsets.set(canonicalKey(partition), { partition, offset: record.sourceOffset });
    }
    const part: Part = { records, out, settled: null, dropped: false };
    const listens = this.#parts.task.committed !== undefined;
    if (listens) this.#parked.push(part);
    if (out.records.length === 0) return;
    await this.#begin();
    for (const { topic } of out.records) this.#topics.add(topic);
    this.#records += out.records.length;
    this.#parts.metrics.active(out.records.length);
    await this.#produce(out.records, listens ? part : null);
  }

  async #produce(records: OutboundBatch["records"], part: Part | null): Promise<void> {
    this.#control.permit();
    this.#sends += 1;
    if (part !== null) this.#sent.set(this.#sends, part);
    await this.#producer.send(records, this.#givingUp);
  }

  /** A task that read its own offsets while its open transaction holds them up would wait for itself. */
  #refuseOffsetsTopic(out: OutboundBatch): void {
    const { offsetsTopic } = this.#parts.exactlyOnce;
    if (!out.records.some(({ topic }) => topic === offsetsTopic)) return;
    throw new ConnectError(
      "config-invalid",
      `A source task must not produce to its own offsets topic ${offsetsTopic} with exactly-once delivery: ` +
        "set another topic for its records, or another offsets.storage.topic",
    );
  }

  /** What the boundary says at the end of a batch, an empty one included. */
  async #endBatch(): Promise<void> {
    const { exactlyOnce, requests } = this.#parts;
    const { boundary } = exactlyOnce;
    switch (boundary.kind) {
      case "poll":
        return await this.#commit();
      case "interval":
        if (this.#options.now() - this.#committedAt >= boundary.intervalMs) await this.#commit();
        return;
      case "connector": {
        const request = requests?.takeBatch() ?? null;
        if (request === "abort") await this.#abort();
        // The offsets of what was aborted are stored all the same, in a transaction of their own.
        if (request !== null) await this.#commit();
        return;
      }
      default:
        throw new Error(`unreachable: ${boundary satisfies never}`);
    }
  }

  /** The end of an orderly task: what is complete is committed. A connector's transaction is complete only by its own word. */
  async #finish(): Promise<void> {
    if (this.#parts.exactlyOnce.boundary.kind === "connector") await this.#endBatch();
    else await this.#commit();
  }

  async #begin(): Promise<void> {
    if (this.#open) return;
    this.#control.permit();
    await this.#producer.begin(this.#control.ending);
    this.#open = true;
  }

  /** Commits what was sent, with its offsets. */
  async #commit(): Promise<void> {
    const { exactlyOnce, metrics } = this.#parts;
    this.#committedAt = this.#options.now();
    const offsets = [...this.#offsets.values()];
    if (!this.#open && offsets.length === 0) return;
    const startedAt = this.#options.now();
    try {
      await this.#begin();
      if (offsets.length > 0) await this.#produceOffsets(offsets);
      // Not for as long as the commit itself may take: whatever is given up here can still be aborted.
      await this.#producer.flush(this.#givingUp);
      this.#control.permit();
      await this.#producer.commit(this.#control.ending);
      this.#accept();
    } catch (error) {
      metrics.commits.failed(this.#options.now() - startedAt);
      throw error;
    }
    metrics.commits.succeeded(this.#options.now() - startedAt);
    metrics.transaction(this.#records);
    metrics.written(this.#records);
    for (const topic of this.#topics) this.#options.activeTopic(topic);
    this.#offsets.clear();
    this.#close();
    exactlyOnce.offsets.committed(offsets);
    for (const { records, out, settled, dropped } of this.#parked)
      this.#committed.add(records, out, dropped ? null : settled);
    this.#parked = [];
  }

  /** The transaction has ended. */
  #close(): void {
    this.#parts.metrics.active(-this.#records);
    this.#records = 0;
    this.#topics.clear();
    this.#open = false;
  }

  async #produceOffsets(offsets: readonly PartitionOffset[]): Promise<void> {
    const { exactlyOnce } = this.#parts;
    const records = await exactlyOnce.offsets.encode(offsets, this.#control.ending);
    const rest = { topic: exactlyOnce.offsetsTopic, partition: null, headers: null, timestamp: null };
    await this.#produce(
      records.map((record) => ({ ...rest, ...record })),
      null,
    );
  }

  /** Drops what was sent since the last boundary; its offsets stay, for the next commit. */
  async #abort(): Promise<void> {
    if (!this.#open) {
      this.#options.log.warn({ task: this.#options.label }, "nothing to abort, the transaction is empty");
      return;
    }
    await this.#producer.abort(this.#control.ending);
    await this.#producer.flush(this.#control.ending);
    this.#producer.takeSettled();
    this.#sent.clear();
    this.#close();
    for (const part of this.#parked) part.dropped = true;
    this.#options.log.info({ task: this.#options.label }, "transaction aborted, as the connector asked");
  }

  /** Notices a refused record as it comes, also during a long poll. */
  async #settle(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#producer.settled(signal);
        this.#accept();
      } catch (error) {
        if (signal.aborted) return;
        this.#fail(error);
        return;
      }
    }
  }

  /** Throws for a refused record: tolerance does not reach into transactions, as in Java. */
  #accept(): void {
    for (const batch of this.#producer.takeSettled()) {
      const failure = batch.failures.find(({ code }) => !NOT_THE_RECORD.has(code));
      if (failure !== undefined) {
        const hinted = failure.code === "MSG_SIZE_TOO_LARGE" ? OVERSIZED_HINT : "";
        throw new ConnectError("kafka", `Kafka refused a record: ${failure.code}: ${failure.message}${hinted}`);
      }
      const part = this.#sent.get(batch.batch);
      this.#sent.delete(batch.batch);
      if (part !== undefined) part.settled = batch;
    }
  }

  /** Readers need not wait for the time-out of what will never be committed. */
  async #giveUp(): Promise<void> {
    try {
      this.#control.permit();
      const deadline = AbortSignal.any([this.#control.ending, AbortSignal.timeout(ABORT_MS)]);
      await this.#producer.abort(deadline);
    } catch (error) {
      this.#options.log.info({ task: this.#options.label, error: String(error) }, "open transaction left to time out");
    }
  }

  /** The first failure counts; polling ends by it. */
  #fail(error: unknown): void {
    if (this.#failing.signal.aborted) return;
    const told = hint(this.#refusalOr(error), this.#options.label);
    this.#failing.abort(told);
    if (!this.#control.stopping.aborted) this.#control.fail(told);
  }

  /** A refused record says more than the producer that has stopped for it. */
  #refusalOr(error: unknown): unknown {
    try {
      this.#accept();
      return error;
    } catch (refusal) {
      return refusal;
    }
  }
}

const OVERSIZED_HINT =
  " (if no single record is too large for the topic, the producer's batches are: set producer.override.batch.size below the topic's " +
  "max.message.bytes)";

/** A fenced producer is mostly not to blame: its successor is at work. */
function hint(error: unknown, label: string): unknown {
  if (!(error instanceof ConnectError) || error.code !== "fenced") return error;
  return new ConnectError(
    "fenced",
    `Task ${label} was fenced: another producer has its transactional id now. If a newer generation of the connector's tasks has ` +
      `started since, that is as it should be and nothing is to be done; otherwise find out who uses this id (${error.message})`,
    { cause: error },
  );
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
