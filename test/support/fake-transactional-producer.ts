import { ConnectError } from "#runtime/errors.ts";
import type {
  DeliveryFailure,
  OutboundRecord,
  SettledBatch,
  TransactionalProducer,
} from "#runtime/kafka/record-producer.ts";

export interface FakeTransactionalProducer extends TransactionalProducer {
  /** What committed reads see, by transaction. */
  readonly committed: readonly (readonly OutboundRecord[])[];
  /** What was sent since `begin`; null: no transaction is open. */
  readonly open: readonly OutboundRecord[] | null;
  closed: boolean;
  initialized: boolean;
  /** Another producer takes the transactional id over. */
  fence(): void;
  /** Records with this value are refused. */
  refuse: string | null;
  /** Nothing is acknowledged any more. */
  away: boolean;
  /** How many transactions were aborted. */
  aborts: number;
}

/** A producer with transactions in memory. Everything sent settles at once. */
export function createFakeTransactionalProducer(): FakeTransactionalProducer {
  const committed: OutboundRecord[][] = [];
  let open: OutboundRecord[] | null = null;
  let settled: SettledBatch[] = [];
  let sends = 0;
  let fenced = false;
  let refused: ConnectError | null = null;
  let wake = Promise.withResolvers<void>();

  function check(): void {
    if (fake.closed) throw new ConnectError("kafka", "the producer is closed");
    if (fenced) throw new ConnectError("fenced", "the producer failed: _FENCED");
  }

  const fake: FakeTransactionalProducer = {
    committed,
    get open() {
      return open;
    },
    closed: false,
    initialized: false,
    refuse: null,
    away: false,
    aborts: 0,
    fence() {
      fenced = true;
      wake.resolve();
    },
    async initTransactions() {
      check();
      fake.initialized = true;
    },
    async begin() {
      check();
      if (!fake.initialized || open !== null) throw new Error("no transaction may begin now");
      open = [];
    },
    async send(records, signal) {
      check();
      signal.throwIfAborted();
      if (refused !== null) throw refused;
      if (open === null) throw new Error("no transaction is open");
      sends += 1;
      open.push(...records);
      const failures: DeliveryFailure[] = records.flatMap(({ value }, index) =>
        value === fake.refuse ? [{ index, code: "INVALID_RECORD", message: "refused" }] : [],
      );
      if (failures.length > 0) refused = new ConnectError("kafka", "the producer stopped at a refused record");
      const positions = {
        partitions: Int32Array.from(records, () => 0),
        offsets: BigInt64Array.from(records, (_, index) => BigInt(sends * 1000 + index)),
      };
      settled.push({ batch: sends, failures, positions });
      wake.resolve();
      return sends;
    },
    async commit(signal) {
      check();
      await fake.flush(signal);
      if (refused !== null) throw refused;
      if (open === null) throw new Error("no transaction is open");
      committed.push(open);
      open = null;
    },
    async abort() {
      check();
      if (open === null) throw new Error("no transaction is open");
      open = null;
      fake.aborts += 1;
    },
    takeSettled() {
      const taken = settled;
      settled = [];
      return taken;
    },
    async settled(signal) {
      const aborted = Promise.withResolvers<never>();
      const abort = () => aborted.reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      while (settled.length === 0) {
        if (fenced) check();
        signal.throwIfAborted();
        await Promise.race([wake.promise, aborted.promise]);
        wake = Promise.withResolvers();
      }
      signal.removeEventListener("abort", abort);
    },
    outstanding: () => 0,
    async flush(signal) {
      if (!fake.away) return;
      await new Promise((_, reject) => {
        if (signal.aborted) reject(signal.reason);
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    },
    async close() {
      fake.closed = true;
    },
  };
  return fake;
}
