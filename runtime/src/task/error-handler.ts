import { setImmediate as nextTurn } from "node:timers/promises";
import { type Logger, NotReady } from "@headrace/sdk";
import { ConnectError } from "../errors.ts";
import { pause } from "../pause.ts";
import type { Fault } from "./record-pipeline.ts";
import { judge, type Stage, type TolerancePolicy } from "./tolerance.ts";
import { abortable } from "./waiting.ts";

/** A record that was given up. */
export interface FailedRecord {
  readonly stage: Stage;
  readonly plugin: string;
  readonly error: unknown;
}

export interface ErrorHandlerOptions {
  readonly label: string;
  readonly policy: TolerancePolicy;
  readonly log: Logger;
  readonly now: () => number;
  readonly random: () => number;
  /** What records are called in the log; not given: `source record is = `. */
  readonly recordLabel?: string;
}

/** A loop over the records of one batch that stops at the first record that fails. */
export interface FallibleLoop {
  /** Runs from a record on; null when all are through. */
  run(from: number): Fault | null;
  /** Shows a record, for `errors.log.include.messages`. */
  describe(index: number): string;
  /** A record has failed for good, whether the policy lets it be skipped or the task ends now. */
  failed?(index: number, failed: FailedRecord): void | Promise<void>;
  /** One that is not wanted any more is passed over when it fails, uncounted; not given: all are. */
  isWanted?(index: number): boolean;
}

/** Applies the `errors.*` policy of one task and counts (contract §7.4). */
export class ErrorHandler {
  readonly #options: ErrorHandlerOptions;
  #failures = 0;
  #errors = 0;
  #skipped = 0;
  #retries = 0;
  #logged = 0;
  #lastErrorAt = 0;

  constructor(options: ErrorHandlerOptions) {
    this.#options = options;
  }

  /** Takes a batch through a loop, with retries and skips. Rejects when a record must not be skipped, and when `signal` aborts. */
  async guard(loop: FallibleLoop, signal: AbortSignal): Promise<void> {
    const { policy, now, random } = this.#options;
    let from = 0;
    let failingIndex = -1;
    let attempts = 0;
    let since = 0;
    for (let fault = await advance(loop, from, signal); fault !== null; fault = await advance(loop, from, signal)) {
      if (loop.isWanted?.(fault.index) === false) {
        from = fault.index + 1;
        continue;
      }
      if (fault.index !== failingIndex) {
        failingIndex = fault.index;
        attempts = 0;
        since = now();
      }
      attempts += 1;
      this.#failures += 1;
      const verdict = judge(policy, { ...fault, attempts, elapsedMs: now() - since }, random);
      if (verdict.kind === "retry") {
        this.#retries += 1;
        if (!(await pause(verdict.delayMs, signal))) throw signal.reason;
        from = fault.index;
        continue;
      }
      this.#count(fault, loop.describe(fault.index));
      await loop.failed?.(fault.index, fault);
      if (verdict.kind === "fail") {
        throw new ConnectError("internal", "Tolerance exceeded in error handler", { cause: fault.error });
      }
      this.#skipped += 1;
      from = fault.index + 1;
    }
  }

  /** Counts a record that failed outside a loop; true if the policy lets it be skipped. */
  tolerates(failed: FailedRecord, description: string): boolean {
    this.#failures += 1;
    this.#count(failed, description);
    if (this.#options.policy.tolerance !== "all") return false;
    this.#skipped += 1;
    return true;
  }

  /** Counts a record that a sink gave back after it was put; true if the policy lets that pass. */
  reported(failed: FailedRecord, description: string): boolean {
    this.#count(failed, description);
    return this.#options.policy.tolerance === "all";
  }

  /** Counters named as contract §11, task-error-metrics. */
  metrics(): Readonly<Record<string, number>> {
    return {
      "total-record-failures": this.#failures,
      "total-record-errors": this.#errors,
      "total-records-skipped": this.#skipped,
      "total-retries": this.#retries,
      "total-errors-logged": this.#logged,
      "last-error-timestamp": this.#lastErrorAt,
    };
  }

  #count(failed: FailedRecord, description: string): void {
    const { policy, label, log, recordLabel } = this.#options;
    this.#errors += 1;
    this.#lastErrorAt = Date.now();
    if (!policy.logEnable) return;
    this.#logged += 1;
    const record = policy.logIncludeMessages ? `, where ${recordLabel ?? "source record is = "}${description}` : "";
    // Connect's own words, with data in the message: this is what people's alerts look for (LogReporter).
    log.error(
      { task: label, stage: failed.stage, class: failed.plugin, error: failed.error },
      `Error encountered in task ${label}. Executing stage '${failed.stage}' with class '${failed.plugin}'${record}.`,
    );
  }
}

/** Runs the loop from a record on, waiting for what its converters have to fetch first. */
async function advance(loop: FallibleLoop, from: number, signal: AbortSignal): Promise<Fault | null> {
  let fault = loop.run(from);
  while (fault !== null && fault.error instanceof NotReady) {
    try {
      await abortable(fault.error.ready, signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      return { ...fault, error };
    }
    // One that is never ready leaves the event loop to others, and can be stopped.
    await nextTurn();
    signal.throwIfAborted();
    fault = loop.run(fault.index);
  }
  return fault;
}
