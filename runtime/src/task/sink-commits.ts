import type { Partition, PartitionOffset, RecordConsumer } from "../kafka/record-consumer.ts";
import type { DeadLetters } from "./dead-letter.ts";
import type { ErrantRecords } from "./errant-records.ts";
import type { TaskControl } from "./runner.ts";
import type { SinkCalls } from "./sink-calls.ts";
import type { SinkRequests } from "./sink-context.ts";
import type { SinkMetrics } from "./sink-metrics.ts";
import { partitionKey, type SinkPositions } from "./sink-positions.ts";

interface SinkCommitsOptions {
  readonly calls: SinkCalls;
  readonly consumer: RecordConsumer;
  readonly control: TaskControl;
  readonly deadLetters: DeadLetters | null;
  readonly errants: ErrantRecords | null;
  readonly metrics: SinkMetrics;
  readonly positions: SinkPositions;
  readonly requests: SinkRequests;
  readonly flushIntervalMs: number;
  readonly flushTimeoutMs: number;
  readonly now: () => number;
  readonly warn: (error: unknown, message: string) => void;
}

/** A commit whose answer has not come. */
interface InFlight {
  readonly sequence: number;
  readonly startedAt: number;
  readonly answered: Promise<void>;
}

/** `offsets`: what may be committed. */
type Flushed =
  | { readonly kind: "offsets"; readonly offsets: readonly PartitionOffset[]; readonly startedAt: number }
  | { readonly kind: "nothing" }
  | { readonly kind: "flush-failed" };

/** What became of a regular commit: `flush-failed` means that everything since the last commit has to be delivered again. */
export type CommitOutcome = "done" | "flush-failed";

/**
 * A sink's offset commits (contract §7.3): the task's flush, then its dead letters, then Kafka (invariant 2). Regular commits do not wait
 * for Kafka's answer, so that the next batch is put meanwhile; one is in flight at a time. Answers that come after a newer commit has
 * begun, or after partitions went away, are not believed any more.
 */
export class SinkCommits {
  readonly #options: SinkCommitsOptions;
  #dueAt: number;
  #sequence = 0;
  #inFlight: InFlight | null = null;

  constructor(options: SinkCommitsOptions) {
    this.#options = options;
    this.#dueAt = options.now() + options.flushIntervalMs;
  }

  /** When there is something to do: the next regular commit, or the end of the patience with the one in flight. */
  dueAt(): number {
    return this.#inFlight === null ? this.#dueAt : this.#inFlight.startedAt + this.#options.flushTimeoutMs;
  }

  /** The regular commit, if it is due or was asked for. Rejects if a dead letter was refused, or the tolerance was exceeded. */
  async regular(signal: AbortSignal): Promise<CommitOutcome> {
    const { control, flushTimeoutMs, flushIntervalMs, metrics, now, positions, requests, warn } = this.#options;
    if (this.#inFlight !== null) {
      const duration = now() - this.#inFlight.startedAt;
      if (duration < flushTimeoutMs) return "done";
      metrics.commits.failed(duration);
      warn(`no answer within ${flushTimeoutMs} ms`, "offset commit timed out");
      this.#inFlight = null;
    }
    if (!requests.commit && now() < this.#dueAt) return "done";
    requests.commit = false;
    this.#dueAt = now() + flushIntervalMs;
    const begun = await this.#flush(positions.current(), signal);
    if (begun.kind === "flush-failed") return "flush-failed";
    if (begun.kind === "offsets") {
      control.permit();
      void this.#send(begun.offsets, begun.startedAt, signal);
    }
    return "done";
  }

  /**
   * The last commit of partitions that go away: their flush, then `release` whatever became of it (`lost`: they could not be flushed any
   * more), then the commit, waited for. Rejects with what kept it from flushing.
   */
  async closing(
    partitions: readonly Partition[],
    release: (lost: boolean) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { calls, control, flushTimeoutMs, positions } = this.#options;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(flushTimeoutMs)]);
    await this.#settled(deadline);
    const flushed = await attempt(this.#flush(positions.current(partitions), signal));
    if (!calls.isStuck()) await release("error" in flushed);
    if ("error" in flushed) throw flushed.error;
    if (flushed.value.kind !== "offsets") return;
    control.permit();
    await this.#send(flushed.value.offsets, flushed.value.startedAt, deadline);
  }

  /** Partitions are gone: an answer that is on its way says nothing about those that come. */
  forget(): void {
    this.#inFlight = null;
    this.#sequence += 1;
  }

  async #settled(deadline: AbortSignal): Promise<void> {
    if (this.#inFlight === null) return;
    const aborted = Promise.withResolvers<void>();
    const abort = () => aborted.resolve();
    deadline.addEventListener("abort", abort, { once: true });
    await Promise.race([this.#inFlight.answered, aborted.promise]);
    deadline.removeEventListener("abort", abort);
    this.#inFlight = null;
  }

  /** Makes durable what was put. `offsets`: what may be committed now. */
  async #flush(current: readonly PartitionOffset[], signal: AbortSignal): Promise<Flushed> {
    const { calls, control, errants, metrics, now, positions, warn } = this.#options;
    if (current.length === 0) return { kind: "nothing" };
    this.#sequence += 1;
    metrics.sequence(this.#sequence);
    control.permit();
    const startedAt = now();
    let safe: readonly PartitionOffset[];
    try {
      safe = await calls.safeOffsets(current, signal);
    } catch (error) {
      metrics.commits.failed(now() - startedAt);
      warn(error, "flush failed, offsets are not committed");
      if (calls.isStuck()) throw error;
      return { kind: "flush-failed" };
    }
    const stored = await this.#deadLettersSafe(startedAt, signal);
    errants?.throwIfFailed();
    if (!stored) return { kind: "nothing" };
    const { offsets, refused } = positions.committable(safe, current);
    if (refused.length > 0) warn(refused.map(partitionKey).join(", "), "offsets beyond what was put are ignored");
    if (offsets.length > 0) return { kind: "offsets", offsets, startedAt };
    metrics.committed();
    metrics.commits.succeeded(now() - startedAt);
    return { kind: "nothing" };
  }

  /** False if Kafka has not got them all in time; rejects if it refused one. */
  async #deadLettersSafe(startedAt: number, signal: AbortSignal): Promise<boolean> {
    const { deadLetters, flushTimeoutMs, metrics, now, warn } = this.#options;
    if (deadLetters === null) return true;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(flushTimeoutMs)]);
    try {
      await deadLetters.flush(deadline);
      return true;
    } catch (error) {
      metrics.commits.failed(now() - startedAt);
      if (!deadline.aborted) throw error;
      warn(error, "dead letters are not in Kafka yet, offsets are not committed");
      return false;
    }
  }

  /** Commits and takes note of the answer. Never rejects. */
  async #send(offsets: readonly PartitionOffset[], startedAt: number, signal: AbortSignal): Promise<void> {
    const { consumer, metrics, now, positions, warn } = this.#options;
    const sequence = this.#sequence;
    const answer = consumer.commit(offsets, signal).then(
      () => null,
      (error: unknown) => ({ error }),
    );
    const answered = answer.then((failed) => {
      if (sequence !== this.#sequence) return metrics.lateCommit();
      if (this.#inFlight?.sequence === sequence) this.#inFlight = null;
      if (failed === null) {
        positions.committed(offsets);
        metrics.committed();
        return metrics.commits.succeeded(now() - startedAt);
      }
      metrics.commits.failed(now() - startedAt);
      warn(failed.error, "offset commit failed");
    });
    this.#inFlight = { sequence, startedAt, answered };
    await answered;
  }
}

async function attempt<T>(promise: Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error };
  }
}
