import { ConnectError } from "../errors.ts";
import type { OutboundHeader, OutboundRecord, RecordProducer, SettledBatch } from "../kafka/record-producer.ts";
import { formatTrace } from "../trace.ts";
import type { FailedRecord } from "./error-handler.ts";
import { javaClassOf, messageOf } from "./java-names.ts";
import type { RawRecord } from "./raw-record.ts";
import { abortable } from "./waiting.ts";

/** Where a sink's given-up records go: their raw bytes, to a topic of their own (contract §7.4). */
export interface DeadLetters {
  /** Queues a record; waits while the queue is full. */
  add(record: RawRecord, failed: FailedRecord, signal: AbortSignal): Promise<void>;
  /** Queues a record and resolves when Kafka has it; rejects if Kafka refused it. */
  store(record: RawRecord, failed: FailedRecord, signal: AbortSignal): Promise<void>;
  /**
   * Resolves when Kafka has all of them; rejects if it refused one. Before that no offset that covers them may be committed
   * (invariant 2).
   */
  flush(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
  metrics(): DeadLetterCounts;
}

/** How many were sent, and how many of them Kafka refused. */
export interface DeadLetterCounts {
  readonly requests: number;
  readonly failures: number;
}

export interface DeadLetterOptions {
  readonly topic: string;
  readonly connector: string;
  readonly task: number;
  /** Adds `__connect.errors.*` headers. */
  readonly contextHeaders: boolean;
  readonly producer: RecordProducer;
  /** What headers say of an error goes through this: it must show nothing that config providers have given. */
  readonly hide: (text: string) => string;
}

/** Sends dead letters through a producer of their own, one after the other. */
export function createDeadLetters(options: DeadLetterOptions): DeadLetters {
  return new DeadLetterQueue(options);
}

class DeadLetterQueue implements DeadLetters {
  readonly #options: DeadLetterOptions;
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>();
  /** Ends with the last call of the producer's `send`, which must not overlap. */
  #sent: Promise<unknown> = Promise.resolve();
  #watch: AbortController | null = null;
  #refused: ConnectError | null = null;
  #requests = 0;
  #failures = 0;

  constructor(options: DeadLetterOptions) {
    this.#options = options;
  }

  async add(record: RawRecord, failed: FailedRecord, signal: AbortSignal): Promise<void> {
    await this.#send(record, failed, signal);
  }

  async store(record: RawRecord, failed: FailedRecord, signal: AbortSignal): Promise<void> {
    const batch = await this.#send(record, failed, signal);
    const stored = Promise.withResolvers<void>();
    this.#waiting.set(batch, stored);
    void this.#watchSettled();
    await abortable(stored.promise, signal);
  }

  async flush(signal: AbortSignal): Promise<void> {
    await abortable(this.#sent, signal);
    await this.#options.producer.flush(signal);
    this.#takeSettled();
    if (this.#refused !== null) throw this.#refused;
  }

  async close(): Promise<void> {
    this.#watch?.abort();
    for (const waiting of this.#waiting.values()) waiting.reject(new Error("the dead letter queue was closed"));
    this.#waiting.clear();
    await this.#options.producer.close();
  }

  metrics(): DeadLetterCounts {
    return { requests: this.#requests, failures: this.#failures };
  }

  #send(record: RawRecord, failed: FailedRecord, signal: AbortSignal): Promise<number> {
    const { producer } = this.#options;
    this.#requests += 1;
    const letter = toLetter(this.#options, record, failed);
    const sending = this.#sent.then(() => producer.send([letter], signal));
    this.#sent = sending.catch(() => {});
    return sending;
  }

  /** Takes reports of Kafka for as long as somebody waits for one. */
  async #watchSettled(): Promise<void> {
    if (this.#watch !== null) return;
    const watch = new AbortController();
    this.#watch = watch;
    try {
      this.#takeSettled();
      while (this.#waiting.size > 0) {
        await this.#options.producer.settled(watch.signal);
        this.#takeSettled();
      }
    } catch (error) {
      for (const waiting of this.#waiting.values()) waiting.reject(error);
      this.#waiting.clear();
    } finally {
      this.#watch = null;
    }
  }

  #takeSettled(): void {
    for (const settled of this.#options.producer.takeSettled()) this.#settle(settled);
    // A flush has taken what the watch waits for.
    if (this.#waiting.size === 0) this.#watch?.abort();
  }

  #settle({ batch, failures }: SettledBatch): void {
    const waiting = this.#waiting.get(batch);
    this.#waiting.delete(batch);
    this.#failures += failures.length;
    const [first] = failures;
    if (first === undefined) {
      waiting?.resolve();
      return;
    }
    const { topic } = this.#options;
    this.#refused ??= new ConnectError(
      "kafka",
      `Kafka refused a record for the dead letter queue ${topic}: ${first.code}: ${first.message}. Check the topic's settings and rights, and the producer.override.* settings of the connector`,
    );
    waiting?.reject(this.#refused);
  }
}

function toLetter(options: DeadLetterOptions, record: RawRecord, failed: FailedRecord): OutboundRecord {
  const headers = options.contextHeaders
    ? [...record.headers, ...contextHeaders(options, record, failed)]
    : record.headers;
  return {
    topic: options.topic,
    partition: null,
    key: record.key,
    value: record.value,
    headers: headers.length === 0 ? null : headers,
    timestamp: record.timestamp,
  };
}

/** Source: org.apache.kafka.connect.runtime.errors.DeadLetterQueueReporter. */
function contextHeaders(
  options: DeadLetterOptions,
  record: RawRecord,
  failed: FailedRecord,
): readonly OutboundHeader[] {
  const message = messageOf(failed.error);
  const values: Readonly<Record<string, string | null>> = {
    topic: record.topic,
    partition: String(record.partition),
    offset: String(record.offset),
    "connector.name": options.connector,
    "task.id": String(options.task),
    stage: failed.stage,
    "class.name": failed.plugin,
    "exception.class.name": javaClassOf(failed.error),
    "exception.message": message === null ? null : options.hide(message),
    "exception.stacktrace": options.hide(formatTrace(failed.error)),
  };
  return Object.entries(values).map(([name, value]) => ({ key: `__connect.errors.${name}`, value }));
}
