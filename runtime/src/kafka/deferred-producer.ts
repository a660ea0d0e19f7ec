import { ConnectError } from "../errors.ts";
import { Wakes } from "./native-wakes.ts";
import type { OutboundRecord, RecordProducer, SettledBatch } from "./record-producer.ts";

/**
 * A producer that is opened by its first record: until then it has no threads, no connection and no queue. `open` throws what the first
 * `send` then rejects with.
 *
 * Guarantees: those of the producer that `open` gives; nothing is opened after `close`.
 */
export function createDeferredProducer(open: () => RecordProducer): RecordProducer {
  return new DeferredProducer(open);
}

class DeferredProducer implements RecordProducer {
  readonly #open: () => RecordProducer;
  readonly #wakes = new Wakes();
  #inner: RecordProducer | null = null;
  #closed = false;

  constructor(open: () => RecordProducer) {
    this.#open = open;
  }

  async send(records: readonly OutboundRecord[], signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    this.#throwIfClosed();
    if (this.#inner === null) {
      this.#inner = this.#open();
      this.#wakes.ring();
    }
    return await this.#inner.send(records, signal);
  }

  takeSettled(): readonly SettledBatch[] {
    return this.#inner?.takeSettled() ?? [];
  }

  async settled(signal: AbortSignal): Promise<void> {
    const inner = await this.#wakes.until(() => {
      if (this.#inner === null) this.#throwIfClosed();
      return this.#inner ?? undefined;
    }, signal);
    await inner.settled(signal);
  }

  outstanding(): number {
    return this.#inner?.outstanding() ?? 0;
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#inner?.flush(signal);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakes.ring();
    await this.#inner?.close();
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new ConnectError("kafka", "the producer is closed");
  }
}
