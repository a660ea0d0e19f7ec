import type { SourceRecord } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { NOT_THE_RECORD } from "../kafka/delivery-codes.ts";
import type { DeliveryFailure, RecordProducer, SettledBatch } from "../kafka/record-producer.ts";
import type { CommittedRecords } from "./committed-records.ts";
import type { PendingOffsets } from "./pending-offsets.ts";
import type { OutboundBatch } from "./record-pipeline.ts";
import { describeRecord } from "./source-intake.ts";
import type { SourceRunParts } from "./source-options.ts";

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

export interface SentBatchesParts extends SourceRunParts {
  readonly producer: RecordProducer;
  readonly pending: PendingOffsets;
  readonly committed: CommittedRecords;
  /** Nobody needs these records any more. */
  readonly released: (records: readonly SourceRecord[]) => void;
  /** Aborts when a batch must not be waited for any longer. */
  readonly givingUp: AbortSignal;
}

/**
 * The batches that are on their way to Kafka. Only here do offsets become committable (invariant 1).
 *
 * Assumption: the producer settles each batch once, under the number of its `send` call.
 */
export class SentBatches {
  readonly #parts: SentBatchesParts;
  readonly #sent = new Map<number, Sent>();
  #sends = 0;
  #settledAt = 0;
  #refusal: Error | null = null;
  #purged: DeliveryFailure | null = null;

  constructor(parts: SentBatchesParts) {
    this.#parts = parts;
  }

  /** Queues a batch that is pending already; resolves when the producer has it, or gave up on room for it. */
  async send(sequence: number, records: readonly SourceRecord[], out: OutboundBatch): Promise<void> {
    const { options, control, metrics, producer, givingUp } = this.#parts;
    const sent: Sent = { sequence, records, out, state: "sending", early: null };
    this.#sends += 1;
    const number = this.#sends;
    if (this.#sent.size === 0) this.#settledAt = options.now();
    this.#sent.set(number, sent);
    metrics.active(records.length);
    control.permit();
    try {
      const taken = await producer.send(out.records, givingUp);
      if (taken !== number) throw new Error(`the producer counts batch ${number} as ${taken}`);
      sent.state = "taken";
    } catch (error) {
      sent.state = "torn";
      if (!givingUp.aborted) throw error;
      options.log.warn({ task: options.label }, "queue still full when the task ended");
    }
    if (sent.early === null) return;
    this.#accept(sent.early);
    this.acceptSettled();
  }

  /**
   * Takes what Kafka has acknowledged or refused. Throws for a refused record: that is told rather than what was purged behind it,
   * whichever settles first.
   */
  acceptSettled(): void {
    const { producer, control } = this.#parts;
    for (const batch of producer.takeSettled()) this.#accept(batch);
    if (this.#refusal !== null) throw this.#refusal;
    if (this.#purged !== null && producer.outstanding() === 0 && !control.ending.aborted) {
      throw new ConnectError("kafka", `Records were dropped before Kafka took them: ${this.#purged.message}`);
    }
  }

  /** What is on its way, if nothing was acknowledged for so long; else null. */
  silence(longMs: number): { readonly topics: readonly string[]; readonly silentMs: number } | null {
    const silentMs = this.#parts.options.now() - this.#settledAt;
    if (this.#sent.size === 0 || silentMs < longMs) return null;
    const topics = new Set<string>();
    for (const { out } of this.#sent.values()) for (const { topic } of out.records) topics.add(topic);
    return { topics: [...topics], silentMs };
  }

  #accept(batch: SettledBatch): void {
    const { options, metrics, pending, committed, released } = this.#parts;
    const sent = this.#sent.get(batch.batch);
    if (sent === undefined) throw new Error(`the producer settled batch ${batch.batch}, which was not sent`);
    if (sent.state === "sending") {
      sent.early = batch;
      return;
    }
    this.#sent.delete(batch.batch);
    this.#settledAt = options.now();
    metrics.active(-sent.records.length);
    if (sent.state === "torn" || !this.#tolerates(sent, batch.failures)) return;
    pending.settle(sent.sequence);
    metrics.written(sent.out.records.length - batch.failures.length);
    committed.tellTopics(sent.out, batch);
    committed.add(sent.records, sent.out, batch);
    released(sent.records);
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
      if (this.#parts.handler.tolerates(failed, describeRecord(source))) continue;
      this.#refusal ??= error;
      return false;
    }
    return true;
  }
}
