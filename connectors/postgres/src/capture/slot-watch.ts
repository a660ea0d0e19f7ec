import { setTimeout as sleep } from "node:timers/promises";
import { reportLag, type SourceTaskContext } from "@headrace/sdk";
import type { Client } from "pg";
import { cut, isOpen, withAbort } from "../connection.ts";
import { openClient } from "./database.ts";
import type { Settings } from "./settings.ts";
import { noticesOf, readSlotState, type SlotState, WAL_STATUSES } from "./slot-state.ts";

export interface SlotWatchOptions {
  readonly settings: Settings;
  readonly log: SourceTaskContext["log"];
  readonly metrics: SourceTaskContext["metrics"];
  /** Name of the slot that counts at the time. */
  readonly slot: () => string;
}

/** Longest pause after failures in a row, and after the task had no connection, ms, if the interval is not longer. */
const MAX_PAUSE_MS = 60_000;

/**
 * Asks PostgreSQL every `slot.watch.interval.ms` what it keeps of its log for the slot, and tells it by metrics and the log.
 *
 * Guarantees: it has a connection and a time of its own, so that it also sees what the log does while nothing is polled, or tables are read. What
 * it cannot see is NaN. It never throws; each of its failures is counted, logged and followed by a longer pause. Where connections are few the
 * task comes first: see {@link SlotWatch.makeRoom}.
 */
export class SlotWatch {
  readonly #options: SlotWatchOptions;
  readonly #closing = new AbortController();
  readonly #failures: { add(count?: number): void };
  #running: Promise<void> = Promise.resolve();
  #client: Client | null = null;
  /** The task could not connect. */
  #isInTheWay = false;
  /** null: not known. */
  #state: SlotState | null = null;
  /** What was told last. */
  #told: SlotState | null = null;

  constructor(options: SlotWatchOptions) {
    this.#options = options;
    const { metrics } = options;
    const of = (read: (state: SlotState) => number | null) => () =>
      (this.#state === null ? null : read(this.#state)) ?? Number.NaN;
    reportLag(metrics, { bytes: of((state) => state.unconfirmedBytes) });
    const retained = "Bytes of its log that PostgreSQL keeps for the slot.";
    metrics.gauge(
      "slot-retained-bytes",
      retained,
      of((state) => state.retainedBytes),
    );
    const safe = "Bytes that may be written before the slot is in danger of being lost; NaN without a limit.";
    metrics.gauge(
      "slot-safe-bytes",
      safe,
      of((state) => state.safeBytes),
    );
    const status = `State of the slot's log: ${WAL_STATUSES.map((each, index) => `${index} ${each}`).join(", ")}.`;
    metrics.gauge(
      "slot-wal-status",
      status,
      of((state) => WAL_STATUSES.indexOf(state.status)),
    );
    this.#failures = metrics.counter("slot-watch-failures", "Times that PostgreSQL could not be asked for the slot.");
  }

  /** Begins. Once. */
  start(): void {
    this.#running = this.#run(this.#closing.signal);
  }

  /** Ends, also while PostgreSQL does not answer; afterwards nothing is known. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  /** Gives its connection back, as the task got none for lack of them, and tries again after the longest pause. */
  makeRoom(): void {
    this.#isInTheWay = true;
    this.#disconnect();
  }

  #disconnect(): void {
    if (this.#client !== null) cut(this.#client);
    this.#client = null;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { settings, log, slot } = this.#options;
    const intervalMs = settings["slot.watch.interval.ms"];
    let pauseMs = intervalMs;
    while (!signal.aborted) {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(settings["database.connect.timeout.ms"])]);
      try {
        if (this.#isInTheWay) throw new Error("the task needs the connections that there are");
        const client = await this.#open(deadline);
        this.#tell(await withAbort(client, deadline, () => readSlotState(client, slot())));
        pauseMs = intervalMs;
      } catch (error) {
        if (signal.aborted) break;
        this.#disconnect();
        this.#state = null;
        this.#failures.add();
        pauseMs = Math.max(intervalMs, this.#isInTheWay ? MAX_PAUSE_MS : Math.min(pauseMs * 2, MAX_PAUSE_MS));
        this.#isInTheWay = false;
        const reason = error instanceof Error ? error.message : String(error);
        log.warn({ slot: slot(), reason, pauseMs }, "postgresql cannot be asked what it keeps for the slot");
      }
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
    this.#state = null;
    this.#disconnect();
  }

  async #open(signal: AbortSignal): Promise<Client> {
    if (this.#client === null || !isOpen(this.#client)) this.#client = await openClient(this.#options.settings, signal);
    return this.#client;
  }

  #tell(state: SlotState | null): void {
    const { settings, log, slot } = this.#options;
    this.#state = state;
    if (state !== null) {
      const alarmBytes = settings["slot.lag.alarm.bytes"];
      const { retainedBytes, safeBytes } = state;
      for (const { level, message } of noticesOf(this.#told, state, alarmBytes))
        log[level]({ slot: slot(), retainedBytes, safeBytes, alarmBytes }, message);
    }
    this.#told = state;
  }
}
