import type { InboundBatch } from "../kafka/record-consumer.ts";
import type { OutboundHeader, RecordProducer } from "../kafka/record-producer.ts";
import { formatTrace } from "../trace.ts";
import type { FailedRecord } from "./error-handler.ts";
import { payloadOf } from "./record-pipeline.ts";

/** Where a sink's given-up records go: their raw bytes, to a topic of their own (contract §7.4). */
export interface DeadLetters {
  /** Queues a record; waits while the queue is full. Calls must not overlap. */
  add(batch: InboundBatch, index: number, failed: FailedRecord, signal: AbortSignal): Promise<void>;
  /** Resolves when Kafka has all of them; rejects if it refused one. Before that no offset that covers them may be committed. */
  flush(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
  metrics(): Readonly<Record<string, number>>;
}

export interface DeadLetterOptions {
  readonly topic: string;
  readonly connector: string;
  readonly task: number;
  /** Adds `__connect.errors.*` headers. */
  readonly contextHeaders: boolean;
  readonly producer: RecordProducer;
}

export function createDeadLetters(options: DeadLetterOptions): DeadLetters {
  const { producer } = options;
  let requests = 0;
  let failures = 0;
  return {
    async add(batch, index, failed, signal) {
      requests += 1;
      const own = batch.headers(index)?.map((header) => ({ key: header.key, value: copy(header.value) })) ?? [];
      const headers = options.contextHeaders ? [...own, ...contextHeaders(options, batch, index, failed)] : own;
      const timestamp = batch.timestamps[index] ?? -1;
      const record = {
        topic: options.topic,
        partition: null,
        key: copy(payloadOf(batch.data, batch.keys, index)),
        value: copy(payloadOf(batch.data, batch.values, index)),
        headers: headers.length === 0 ? null : headers,
        timestamp: timestamp < 0 ? null : timestamp,
      };
      await producer.send([record], signal);
    },
    async flush(signal) {
      await producer.flush(signal);
      const refused = producer.takeSettled().flatMap((batch) => batch.failures);
      failures += refused.length;
      const [first] = refused;
      if (first !== undefined) throw new Error(`dead letter queue ${options.topic}: ${first.code}: ${first.message}`);
    },
    close: () => producer.close(),
    metrics: () => ({ "deadletterqueue-produce-requests": requests, "deadletterqueue-produce-failures": failures }),
  };
}

/** Source: org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter. */
function contextHeaders(
  options: DeadLetterOptions,
  batch: InboundBatch,
  index: number,
  failed: FailedRecord,
): readonly OutboundHeader[] {
  const error = failed.error;
  const values: Readonly<Record<string, string | null>> = {
    topic: batch.topics[batch.topicIndex[index] ?? 0] ?? "",
    partition: String(batch.partitions[index]),
    offset: String(batch.offsets[index]),
    "connector.name": options.connector,
    "task.id": String(options.task),
    stage: failed.stage,
    "class.name": failed.plugin,
    "exception.class.name": error instanceof Error ? error.name : typeof error,
    "exception.message": error instanceof Error ? error.message : String(error),
    "exception.stacktrace": formatTrace(error),
  };
  return Object.entries(values).map(([name, value]) => ({ key: `__connect.errors.${name}`, value }));
}

/** The batch is a view that is reused. */
function copy(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes);
}
