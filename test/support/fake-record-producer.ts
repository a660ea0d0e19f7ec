import type {
  DeliveryFailure,
  OutboundRecord,
  RecordProducer,
  RecordProducerOptions,
  SettledBatch,
} from "#runtime/kafka/record-producer.ts";

export interface FakeProducer extends RecordProducer {
  /** Batches in the order of `send`; a torn one with the head that was queued. */
  readonly batches: readonly (readonly OutboundRecord[])[];
  closed: boolean;
  options: Pick<RecordProducerOptions, "reportPositions" | "stopOnFailure"> | null;
  /** Settles a batch by its number. */
  settle(batch: number, failures?: readonly DeliveryFailure[]): void;
  /** Whether batches are settled as soon as they are sent. */
  autoSettle: boolean;
  /** While true, `send` waits with the first record of its batch queued. */
  full: boolean;
  /** Whether the head of a batch whose `send` was given up is acknowledged. */
  settlesTorn: boolean;
  /** Lets a waiting `send` go on. */
  makeRoom(): void;
  /** Fails `settled` and every later `send`. */
  fail(error: Error): void;
  /** Resolves when so many batches were sent or are waiting. */
  sent(count: number): Promise<void>;
}

/** A producer whose acknowledgements are the test's. */
export function createFakeProducer(): FakeProducer {
  const batches: OutboundRecord[][] = [];
  const outstanding = new Set<number>();
  let settled: SettledBatch[] = [];
  let failure: Error | null = null;
  let changed = Promise.withResolvers<void>();

  function change(): void {
    changed.resolve();
    changed = Promise.withResolvers();
  }

  async function until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    while (!holds()) {
      signal.throwIfAborted();
      const aborted = Promise.withResolvers<void>();
      const abort = () => aborted.resolve();
      signal.addEventListener("abort", abort, { once: true });
      await Promise.race([changed.promise, aborted.promise]);
      signal.removeEventListener("abort", abort);
    }
  }

  const fake: FakeProducer = {
    batches,
    closed: false,
    options: null,
    autoSettle: false,
    full: false,
    settlesTorn: false,
    settle(batch, failures: readonly DeliveryFailure[] = []) {
      if (!outstanding.delete(batch)) throw new Error(`batch ${batch} is not outstanding`);
      const records = batches[batch - 1] ?? [];
      const positions = {
        partitions: Int32Array.from(records, () => 0),
        offsets: BigInt64Array.from(records, (_, index) => BigInt(batch * 1000 + index)),
      };
      settled.push({ batch, failures, positions: fake.options?.reportPositions === true ? positions : null });
      change();
    },
    makeRoom() {
      fake.full = false;
      change();
    },
    fail(error: Error) {
      failure = error;
      change();
    },
    sent: (count: number) => until(() => batches.length >= count, AbortSignal.timeout(5_000)),
    async send(records: readonly OutboundRecord[], signal: AbortSignal): Promise<number> {
      if (failure !== null) throw failure;
      if (fake.closed) throw new Error("the producer is closed");
      signal.throwIfAborted();
      const batch = batches.length + 1;
      outstanding.add(batch);
      batches.push(fake.full ? records.slice(0, 1) : [...records]);
      change();
      if (fake.full) {
        try {
          await until(() => !fake.full, signal);
        } catch (error) {
          if (fake.settlesTorn) fake.settle(batch);
          throw error;
        }
        batches[batch - 1] = [...records];
      }
      if (fake.autoSettle) fake.settle(batch);
      return batch;
    },
    takeSettled() {
      const taken = settled;
      settled = [];
      return taken;
    },
    settled: (signal: AbortSignal) =>
      until(() => {
        if (settled.length > 0) return true;
        if (failure !== null) throw failure;
        return false;
      }, signal),
    outstanding: () => outstanding.size,
    flush: (signal: AbortSignal) => until(() => outstanding.size === 0, signal),
    async close() {
      fake.closed = true;
      change();
    },
  };
  return fake;
}
