import { NOT_THE_RECORD } from "./delivery-codes.ts";
import type {
  DeliveryFailure,
  OutboundRecord,
  RecordProducer,
  RecordProducerOptions,
  SettledBatch,
} from "./record-producer.ts";

/** How many records travel together: as configured, up to {@link SMALL_BATCH_BYTES}, or each by itself. */
export type Batching = "configured" | "small" | "single";

/** As Java's producer has it by default. A larger record travels by itself. */
export const SMALL_BATCH_BYTES = 16_384;

export interface SplittingOptions {
  /** Opens a producer that stops at whatever a broker refuses, unless each record travels by itself and refused ones may be skipped. */
  readonly open: (
    batching: Batching,
    options: Pick<RecordProducerOptions, "reportPositions" | "stopOnFailure">,
  ) => RecordProducer;
  readonly reportPositions: boolean;
  /** As in {@link RecordProducerOptions}. */
  readonly stopOnFailure: boolean;
  /** The largest record that may be sent at all. */
  readonly maxRecordBytes: number;
}

/** Refusals that a broker gives to a whole batch of Kafka's, of which perhaps only one record is to blame. */
const MAYBE_NOT_GUILTY: ReadonlySet<string> = new Set(["MSG_SIZE_TOO_LARGE", "INVALID_RECORD"]);

/** A batch of ours, until each of its records is decided. */
interface Held {
  readonly number: number;
  readonly records: readonly OutboundRecord[];
  /** Places of the records that have to be sent again, in order. */
  again: number[];
  /** Parts of it that a producer has. */
  parts: number;
  readonly failures: DeliveryFailure[];
  readonly partitions: Int32Array | null;
  readonly offsets: BigInt64Array | null;
}

/** A send to the present producer: the places of its records. */
interface Part {
  readonly held: Held;
  /** null: all of them. */
  readonly places: readonly number[] | null;
}

/**
 * A producer whose refused records take no others with them. A broker takes or refuses whole batches of Kafka's, which librdkafka never
 * splits; Java's producer does. So the first refusal stops everything behind it; then all that is undecided is sent again in small batches,
 * and what is refused then once more, each record by itself, which shows the guilty ones. After that the work goes on with small batches.
 *
 * Guarantees: those of {@link RecordProducer}; order per partition is kept. Assumption: refusals are rare, each costs a new connection.
 */
export function createSplittingProducer(options: SplittingOptions): RecordProducer {
  return new SplittingProducer(options);
}

class SplittingProducer implements RecordProducer {
  readonly #options: SplittingOptions;
  #inner: RecordProducer;
  #batching: Batching = "configured";
  readonly #held = new Map<number, Held>();
  /** By the number of the send to the present producer. */
  #parts = new Map<number, Part>();
  #settled: SettledBatch[] = [];
  #batches = 0;
  #sends = 0;
  /** A send that has not returned yet. */
  #handing: Promise<void> | null = null;
  #recovery: Promise<void> | null = null;
  /** Something was refused for good: a record that travelled by itself, or for a reason that is not one record's. */
  #foundGuilty = false;
  /** Since the producer was opened, a batch was refused that may have innocent records. */
  #suspects = false;
  readonly #closing = new AbortController();
  /** Of those who wait for the present producer, which is not told what is decided without it. */
  readonly #waiting = new Set<AbortController>();

  constructor(options: SplittingOptions) {
    this.#options = options;
    this.#inner = options.open("configured", { reportPositions: options.reportPositions, stopOnFailure: true });
  }

  async send(records: readonly OutboundRecord[], signal: AbortSignal): Promise<number> {
    await this.#atRest(signal);
    this.#batches += 1;
    const number = this.#batches;
    const { reportPositions } = this.#options;
    const held: Held = {
      number,
      records,
      again: [],
      parts: 1,
      failures: [],
      partitions: reportPositions ? new Int32Array(records.length).fill(-1) : null,
      offsets: reportPositions ? new BigInt64Array(records.length).fill(-1n) : null,
    };
    this.#held.set(number, held);
    const places = this.#options.stopOnFailure ? null : this.#sendable(held);
    if (places?.length === 0) {
      held.parts = 0;
      this.#decide(held);
      return number;
    }
    try {
      await this.#hand({ held, places }, places === null ? records : pick(records, places), signal);
    } catch (error) {
      // A record that cannot be encoded is no refusal, and would be none the next time.
      if (signal.aborted || this.#closing.signal.aborted || error instanceof RangeError) throw error;
      if (this.#recovery === null) {
        // It has stopped, so what it had is decided soon; then it shows whether that can be cured.
        await this.#inner.flush(signal);
        this.#collect();
      }
      if (this.#recovery === null) throw error;
      // What did not get in was purged, and comes again with the rest.
      await this.#atRest(signal);
    }
    return number;
  }

  takeSettled(): readonly SettledBatch[] {
    this.#collect();
    const settled = this.#settled;
    this.#settled = [];
    return settled;
  }

  async settled(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#atRest(signal);
      if (this.#settled.length > 0) return;
      const inner = this.#inner;
      try {
        await this.#settledBy(inner, signal);
        this.#collect();
      } catch (error) {
        if (signal.aborted) throw error;
        this.#collect();
        const goesOn = this.#recovery !== null || inner !== this.#inner || this.#settled.length > 0;
        if (!goesOn) throw error;
      }
    }
  }

  outstanding(): number {
    let waiting = 0;
    for (const { again } of this.#held.values()) waiting += again.length;
    return this.#inner.outstanding() + waiting;
  }

  async flush(signal: AbortSignal): Promise<void> {
    let inner: RecordProducer;
    do {
      await this.#atRest(signal);
      inner = this.#inner;
      await inner.flush(signal);
      this.#collect();
    } while (this.#recovery !== null || inner !== this.#inner);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the producer is closed"));
    await this.#recovery?.catch(() => {});
    await this.#inner.close();
    this.#collect();
    this.#decideAll();
  }

  /** Waits for the producer, or until a batch is decided without it. */
  async #settledBy(inner: RecordProducer, signal: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    const abort = () => waiting.abort(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    this.#waiting.add(waiting);
    try {
      await inner.settled(waiting.signal);
    } catch (error) {
      if (signal.aborted || !waiting.signal.aborted) throw error;
    } finally {
      this.#waiting.delete(waiting);
      signal.removeEventListener("abort", abort);
    }
  }

  /** Resolves when nothing is being sent again. */
  async #atRest(signal: AbortSignal): Promise<void> {
    while (this.#recovery !== null) {
      const aborted = Promise.withResolvers<never>();
      const abort = () => aborted.reject(signal.reason);
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort, { once: true });
      await Promise.race([this.#recovery, aborted.promise]).finally(() => signal.removeEventListener("abort", abort));
    }
  }

  /**
   * Where refused records are skipped, those that are surely too large are told apart before they are sent: it would be a pity to stop
   * for them. null: all of them may be sent.
   */
  #sendable({ records, failures }: Held): readonly number[] | null {
    const { maxRecordBytes } = this.#options;
    const isTooLarge = ({ key, value }: OutboundRecord) => (key?.length ?? 0) + (value?.length ?? 0) > maxRecordBytes;
    if (!records.some(isTooLarge)) return null;
    const places: number[] = [];
    for (const [index, record] of records.entries()) {
      if (!isTooLarge(record)) places.push(index);
      else failures.push({ index, code: "MSG_SIZE_TOO_LARGE", message: `larger than ${maxRecordBytes} bytes` });
    }
    return places;
  }

  async #hand(part: Part, records: readonly OutboundRecord[], signal: AbortSignal): Promise<void> {
    this.#sends += 1;
    this.#parts.set(this.#sends, part);
    const handing = this.#inner.send(records, signal).then(() => {});
    this.#handing = handing;
    try {
      await handing;
    } finally {
      this.#handing = null;
    }
  }

  /** Takes what the producer has decided; begins to send again what was not. */
  #collect(): void {
    let again = false;
    for (const batch of this.#inner.takeSettled()) {
      const part = this.#parts.get(batch.batch);
      if (part === undefined) throw new Error(`batch ${batch.batch} was never sent`);
      this.#parts.delete(batch.batch);
      again = this.#merge(part, batch) || again;
    }
    // Where refused records are skipped, whatever was refused has stopped the producer for nothing.
    again ||= this.#foundGuilty && !this.#options.stopOnFailure && this.#batching !== "single";
    if (!again || this.#recovery !== null || this.#closing.signal.aborted) return;
    this.#recovery = this.#recover().finally(() => {
      this.#recovery = null;
    });
    this.#recovery.catch(() => {}); // Whoever waits is told.
  }

  /** True if some of the part has to be sent again. */
  #merge({ held, places }: Part, batch: SettledBatch): boolean {
    held.parts -= 1;
    const at = (index: number) => (places === null ? index : (places[index] ?? index));
    const final = this.#batching === "single" || this.#closing.signal.aborted;
    const again: number[] = [];
    for (const failure of batch.failures) {
      const isUndecided = NOT_THE_RECORD.has(failure.code);
      const isSuspect = this.#mayBeInnocent(failure.code, held.records[at(failure.index)]);
      if (isSuspect) this.#suspects = true;
      if (!final && (isUndecided || isSuspect)) again.push(at(failure.index));
      else {
        held.failures.push({ ...failure, index: at(failure.index) });
        if (!isUndecided) this.#foundGuilty = true;
      }
    }
    if (held.partitions !== null && held.offsets !== null && batch.positions !== null) {
      const { partitions, offsets } = batch.positions;
      for (let index = 0; index < partitions.length; index++) {
        if ((offsets[index] ?? -1n) < 0n) continue;
        held.partitions[at(index)] = partitions[index] ?? -1;
        held.offsets[at(index)] = offsets[index] ?? -1n;
      }
    }
    held.again.push(...again);
    if (held.again.length === 0 && held.parts === 0) this.#decide(held);
    return again.length > 0;
  }

  #decide(held: Held): void {
    this.#held.delete(held.number);
    for (const index of held.again) held.failures.push({ index, code: "_PURGE_QUEUE", message: "never sent again" });
    const failures = held.failures.toSorted((a, b) => a.index - b.index);
    const { partitions, offsets } = held;
    const positions = partitions === null || offsets === null ? null : { partitions, offsets };
    this.#settled.push({ batch: held.number, failures, positions });
    for (const waiting of this.#waiting) waiting.abort();
  }

  #mayBeInnocent(code: string, record: OutboundRecord | undefined): boolean {
    if (!MAYBE_NOT_GUILTY.has(code) || this.#batching === "single" || record === undefined) return false;
    const travelledAlone = this.#batching === "small" && sizeOf(record) > SMALL_BATCH_BYTES;
    return code !== "MSG_SIZE_TOO_LARGE" || !travelledAlone;
  }

  async #recover(): Promise<void> {
    const { signal } = this.#closing;
    const { stopOnFailure } = this.#options;
    for (;;) {
      await this.#handing?.catch(() => {}); // The producer has stopped, so it ends soon.
      await this.#inner.flush(signal);
      this.#collect();
      this.#reclaim();
      // Nothing may pass a guilty record: the stopped producer says so to every later send.
      if (stopOnFailure && this.#foundGuilty) return this.#decideAll();
      if (this.#held.size === 0) break;
      // It has stopped for another reason than a refusal, and tells it to whoever asks.
      if (!this.#suspects && !this.#foundGuilty) return this.#decideAll();
      const batching = this.#batching === "configured" || !this.#suspects ? "small" : "single";
      await this.#reopen(batching, batching === "small" || stopOnFailure);
      await this.#sendAgain(signal);
    }
    if (this.#batching !== "small" || this.#foundGuilty) await this.#reopen("small", true);
  }

  async #sendAgain(signal: AbortSignal): Promise<void> {
    for (const held of [...this.#held.values()]) {
      const places = held.again.toSorted((a, b) => a - b);
      if (places.length === 0) continue;
      held.again = [];
      held.parts += 1;
      try {
        await this.#hand({ held, places }, pick(held.records, places), signal);
      } catch {
        signal.throwIfAborted();
        return; // It has stopped again.
      }
    }
  }

  #decideAll(): void {
    for (const held of [...this.#held.values()]) this.#decide(held);
  }

  /** What a stopped producer refused to take at all is undecided like what it has purged. */
  #reclaim(): void {
    for (const { held, places } of this.#parts.values()) {
      held.parts -= 1;
      held.again.push(...(places ?? held.records.keys()));
    }
    this.#parts.clear();
  }

  async #reopen(batching: Batching, stopOnFailure: boolean): Promise<void> {
    await this.#inner.close();
    this.#closing.signal.throwIfAborted();
    this.#inner = this.#options.open(batching, { reportPositions: this.#options.reportPositions, stopOnFailure });
    this.#batching = batching;
    this.#sends = 0;
    this.#parts = new Map();
    this.#suspects = false;
    this.#foundGuilty = false;
  }
}

function pick(records: readonly OutboundRecord[], places: readonly number[]): readonly OutboundRecord[] {
  return places.flatMap((place) => records[place] ?? []);
}

function sizeOf({ key = null, value }: OutboundRecord): number {
  return bytesOf(key) + bytesOf(value);
}

function bytesOf(field: OutboundRecord["value"]): number {
  if (field === null) return 0;
  return typeof field === "string" ? Buffer.byteLength(field) : field.length;
}
