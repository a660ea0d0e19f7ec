import type { CommittedRecord, SourceRecord } from "@headrace/sdk";
import type { SettledBatch } from "../kafka/record-producer.ts";
import type { OutboundBatch } from "./record-pipeline.ts";
import type { SourceRunParts } from "./source-options.ts";
import { abortable } from "./waiting.ts";

/** What Kafka has said of the records of a batch; null: none of them is there. */
export type Positions = Pick<SettledBatch, "positions" | "failures">;

/** What a source wants to hear of its records' fate, and the topics that it uses. Told in order, when nothing polls. */
export class CommittedRecords {
  readonly #parts: Pick<SourceRunParts, "options" | "control" | "task">;
  readonly #untold: (readonly CommittedRecord[])[] = [];

  constructor(parts: Pick<SourceRunParts, "options" | "control" | "task">) {
    this.#parts = parts;
  }

  /** Tells which topics have got records of the batch. */
  tellTopics({ records }: OutboundBatch, batch: Pick<SettledBatch, "failures">): void {
    let last: string | null = null;
    const refused = new Set(batch.failures.map((failure) => failure.index));
    for (let index = 0; index < records.length; index += 1) {
      const topic = records[index]?.topic;
      if (topic === undefined || topic === last || refused.has(index)) continue;
      last = topic;
      this.#parts.options.activeTopic(topic);
    }
  }

  /** Queues the fate of a batch's records. */
  add(records: readonly SourceRecord[], out: OutboundBatch, batch: Positions | null): void {
    if (this.#parts.task.committed === undefined) return;
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

  /** Tells the connector what is queued. Never rejects. */
  async tell(): Promise<void> {
    const { options, control, task } = this.#parts;
    for (let batch = this.#untold.shift(); batch !== undefined; batch = this.#untold.shift()) {
      try {
        await abortable(task.committed?.(batch), control.ending);
      } catch (error) {
        options.log.error({ task: options.label, error: String(error) }, "committed callback failed");
      }
    }
  }
}
