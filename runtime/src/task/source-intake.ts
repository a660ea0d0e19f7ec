import { RetriableError, type SourceRecord } from "@headrace/sdk";
import { pause } from "../pause.ts";
import type { OutboundBatch } from "./record-pipeline.ts";
import type { SourceRunParts } from "./source-options.ts";
import { abortable } from "./waiting.ts";

/** Pause after a poll that asked to be tried later. */
const RETRY_PAUSE_MS = 100;

/** The first half of a record's way, whatever the delivery: polled, transformed, converted, and its topic made sure of. */
export class SourceIntake {
  readonly #parts: SourceRunParts;
  readonly #ensured = new Set<string>();
  #stuck = false;

  constructor(parts: SourceRunParts) {
    this.#parts = parts;
  }

  /** The connector's poll did not end; its task cannot be closed. */
  isStuck(): boolean {
    return this.#stuck;
  }

  /** One poll; nothing if it asked to be tried later, or is being stopped. */
  async poll(polling: AbortSignal): Promise<readonly SourceRecord[]> {
    const { options, control, task, metrics } = this.#parts;
    const startedAt = options.now();
    try {
      const records = await abortable(task.poll(polling), control.draining);
      if (records.length > 0) metrics.polled(records.length, options.now() - startedAt);
      return records;
    } catch (error) {
      if (control.draining.aborted && error === control.draining.reason) {
        this.#stuck = true;
        options.log.warn({ task: options.label }, "poll did not end when the task was stopped");
        return [];
      }
      if (polling.aborted) return [];
      if (!(error instanceof RetriableError)) throw error;
      options.log.warn({ task: options.label, error: error.message }, "poll failed, retrying");
      await pause(RETRY_PAUSE_MS, polling);
      return [];
    }
  }

  /** Transforms and converts a batch by the errors policy; rejects when `signal` aborts while a record waits. */
  async encode(records: readonly SourceRecord[], signal: AbortSignal): Promise<OutboundBatch> {
    const { options, handler } = this.#parts;
    const out: OutboundBatch = { records: [], sources: [] };
    await handler.guard(
      {
        run: (from) => options.pipeline.run(records, from, out),
        describe: (index) => describeRecord(records[index]),
      },
      signal,
    );
    return out;
  }

  /** Creates the topics of a batch that are missing, where the connector asks for that. */
  async ensureTopics(out: OutboundBatch, signal: AbortSignal): Promise<void> {
    const { options, control } = this.#parts;
    if (options.ensureTopic === null) return;
    for (const { topic } of out.records) {
      if (this.#ensured.has(topic)) continue;
      control.permit();
      await options.ensureTopic(topic, signal);
      this.#ensured.add(topic);
    }
  }
}

/** A record in messages: where it comes from and goes to, never what it holds. */
export function describeRecord(record: SourceRecord | undefined): string {
  if (record === undefined) return "";
  return JSON.stringify(
    { topic: record.topic, sourcePartition: record.sourcePartition, sourceOffset: record.sourceOffset },
    (_, value: unknown) => (typeof value === "bigint" ? String(value) : value),
  );
}
