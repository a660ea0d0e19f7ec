import { addon, type NativeSettledBatch, type ProducerHandle } from "@headrace/native";
import { ConnectError } from "../errors.ts";
import { toConfigPairs } from "./native-config.ts";
import { describeError, isAccessCode, toKafkaError, wrapAddonError } from "./native-error.ts";
import { OutboundEncoder } from "./native-outbound.ts";
import { feedTokens } from "./native-token.ts";
import { Wakes } from "./native-wakes.ts";
import type {
  DeliveryFailure,
  OutboundRecord,
  RecordProducer,
  RecordProducerOptions,
  SettledBatch,
  TransactionalProducer,
} from "./record-producer.ts";

/**
 * Opens a producer. It connects by itself, in the background, and keeps the process alive until it is closed.
 * Throws ConnectError `config-invalid` if librdkafka refuses the configuration.
 *
 * Guarantees: with `enable.idempotence`, order per Kafka partition is kept through retries and nothing is repeated. With `stopOnFailure`
 * as well, nothing behind a record that a broker refused reaches its partition; of other partitions, what was in flight at that moment
 * may still arrive.
 */
export function openRecordProducer(options: RecordProducerOptions): RecordProducer {
  return new NativeRecordProducer(options);
}

/** As {@link openRecordProducer}, with a configuration that has a `transactional.id`. */
export function openTransactionalProducer(options: RecordProducerOptions): TransactionalProducer {
  return new NativeRecordProducer(options);
}

/** Steps of a transaction by their numbers in `native/addon.ts`. */
const STEPS = { init: 0, begin: 1, commit: 2, abort: 3 } as const;
/** Pause between looks at whether librdkafka still has what is outstanding. */
const AUDIT_MS = 5_000;
/** Looks that must agree that it has not: reports may be on their way. */
const AUDITS = 3;

class NativeRecordProducer implements TransactionalProducer {
  readonly #handle: ProducerHandle;
  readonly #wakes = new Wakes();
  readonly #topics = new Map<string, number>();
  readonly #encoder = new OutboundEncoder((topic) => this.#topicHandle(topic));
  readonly #onLog: RecordProducerOptions["onLog"];
  #settled: SettledBatch[] = [];
  #batches = 0;
  #sending = false;
  #closed: Promise<void> | null = null;
  #vanished = 0;
  readonly #audit: NodeJS.Timeout;
  readonly #endTokens: () => void;
  /** Why no broker lets the client in. librdkafka would try for ever; a task that cannot send has to say so, as in Java. */
  #refused: ConnectError | null = null;

  constructor(options: RecordProducerOptions) {
    this.#onLog = options.onLog;
    const config = { ...options.config };
    // Without it, librdkafka would renumber and send what stands behind a refused record before anybody could purge it.
    if (options.stopOnFailure && config["enable.idempotence"] === "true") config["enable.gapless.guarantee"] = "true";
    try {
      this.#handle = addon.producerOpen(
        toConfigPairs(config),
        options.reportPositions,
        options.stopOnFailure,
        options.onLog !== undefined,
        () => this.#wake(),
      );
    } catch (error) {
      throw wrapAddonError("cannot open a producer", error);
    }
    this.#audit = setInterval(() => this.#auditReports(), AUDIT_MS).unref();
    this.#endTokens = options.oauth == null ? () => {} : feedTokens(options.oauth, this.#tokenDoor());
  }

  async send(records: readonly OutboundRecord[], signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    this.#throwIfUnusable();
    if (this.#sending) throw new Error("send was called while another send was waiting");
    this.#sending = true;
    const batch = ++this.#batches;
    addon.producerOpenBatch(this.#handle, batch, records.length);
    try {
      for (let from = 0; from < records.length; ) {
        const count = this.#encoder.encode(records, from);
        await this.#queue(count, signal);
        from += count;
      }
      return batch;
    } finally {
      addon.producerSealBatch(this.#handle);
      this.#sending = false;
    }
  }

  takeSettled(): readonly SettledBatch[] {
    this.#collect();
    const settled = this.#settled;
    this.#settled = [];
    return settled;
  }

  async settled(signal: AbortSignal): Promise<void> {
    await this.#wakes.until(() => {
      this.#collect();
      if (this.#settled.length > 0) return null;
      this.#throwIfVanished();
      if (this.#refused !== null) throw this.#refused;
      const failure = addon.producerFailure(this.#handle);
      const fatal = failure?.[1] === true;
      if (failure !== null && (fatal || this.outstanding() === 0)) throw this.#toError(failure);
      if (this.#closed !== null && this.outstanding() === 0) throw closedError();
      return undefined;
    }, signal);
  }

  outstanding(): number {
    return addon.producerOutstanding(this.#handle);
  }

  async flush(signal: AbortSignal): Promise<void> {
    if (this.#closed === null) addon.producerFlush(this.#handle);
    await this.#wakes.until(() => {
      if (this.outstanding() === 0) return null;
      this.#throwIfVanished();
      if (this.#refused !== null) throw this.#refused;
      return undefined;
    }, signal);
  }

  initTransactions(signal: AbortSignal): Promise<void> {
    return this.#transact("init", signal);
  }

  async begin(signal: AbortSignal): Promise<void> {
    this.#throwIfUnusable();
    await this.#transact("begin", signal);
  }

  async commit(signal: AbortSignal): Promise<void> {
    await this.flush(signal);
    this.#throwIfUnusable();
    await this.#transact("commit", signal);
  }

  abort(signal: AbortSignal): Promise<void> {
    return this.#transact("abort", signal);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #transact(step: keyof typeof STEPS, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    try {
      addon.producerTransact(this.#handle, STEPS[step]);
    } catch (error) {
      throw wrapAddonError(`cannot ${step} a transaction`, error);
    }
    const end = await this.#wakes.until(() => {
      const taken = addon.producerTakeTransacted(this.#handle);
      if (taken === null && step === "init" && this.#refused !== null) throw this.#refused;
      return taken ?? undefined;
    }, signal);
    const [code, , message] = end;
    if (code !== 0) throw toKafkaError(`could not ${step} a transaction`, code, message);
  }

  /**
   * The watchdog of whoever waits: rings in case a wake was lost, and notes when librdkafka has nothing any more of what was not
   * reported yet, which would otherwise be waited for without end.
   */
  #auditReports(): void {
    const missing = this.#closed === null && this.outstanding() > 0 && addon.producerHeld(this.#handle) === 0;
    this.#vanished = missing ? this.#vanished + 1 : 0;
    this.#wake();
  }

  #throwIfVanished(): void {
    if (this.#vanished < AUDITS) return;
    const count = this.outstanding();
    throw new ConnectError("kafka", `the producer has lost sight of ${count} records: start the task again`);
  }

  async #close(): Promise<void> {
    clearInterval(this.#audit);
    this.#endTokens();
    addon.producerClose(this.#handle);
    await this.#wakes.until(() => (addon.producerReap(this.#handle) ? null : undefined), null);
    // Its thread may have ended before anybody could be woken, and wakes nobody any more.
    this.#wakes.ring();
  }

  /** Queues the encoder's chunk, waiting for room as often as need be. */
  async #queue(count: number, signal: AbortSignal): Promise<void> {
    const { columns, timestamps } = this.#encoder;
    let reached = this.#produce(columns, timestamps, count, 0);
    while (reached < count) {
      this.#throwIfUnusable();
      const before = reached;
      await this.#wakes.next(signal);
      this.#throwIfUnusable();
      reached = this.#produce(columns, timestamps, count, before);
    }
    this.#throwIfUnusable();
  }

  #produce(columns: Int32Array, timestamps: Float64Array, count: number, from: number): number {
    try {
      return addon.producerProduce(this.#handle, this.#encoder.data, columns, timestamps, count, from);
    } catch (error) {
      throw wrapAddonError("cannot send", error);
    }
  }

  #throwIfUnusable(): void {
    if (this.#closed !== null) throw closedError();
    const failure = addon.producerFailure(this.#handle);
    if (failure !== null) throw this.#toError(failure);
    if (this.#refused !== null) throw this.#refused;
  }

  #tokenDoor(): Parameters<typeof feedTokens>[1] {
    return {
      set: (...token) => addon.producerSetToken(this.#handle, ...token),
      fail: (reason) => addon.producerFailToken(this.#handle, reason),
    };
  }

  #toError([code, fatal, message]: readonly [number, boolean, string]): ConnectError {
    return toKafkaError(fatal ? "the producer failed" : "the producer stopped at a refused record", code, message);
  }

  #topicHandle(topic: string): number {
    const known = this.#topics.get(topic);
    if (known !== undefined) return known;
    const handle = addon.producerTopic(this.#handle, topic);
    this.#topics.set(topic, handle);
    return handle;
  }

  #wake(): void {
    if (this.#onLog !== undefined) {
      for (const [level, message] of addon.producerTakeLogs(this.#handle)) this.#onLog({ level, message });
    }
    for (const [code, , message] of addon.producerTakeErrors(this.#handle)) {
      if (isAccessCode(code)) this.#refused ??= toKafkaError("the producer cannot connect", code, message);
    }
    this.#wakes.ring();
  }

  #collect(): void {
    for (const batch of addon.producerTakeSettled(this.#handle)) this.#settled.push(toSettledBatch(batch));
  }
}

const closedError = () => new ConnectError("kafka", "the producer is closed");

const NO_FAILURES: readonly DeliveryFailure[] = [];

function toSettledBatch([batch, refusals, messages, partitions, offsets]: NativeSettledBatch): SettledBatch {
  const failures = refusals === null ? NO_FAILURES : toFailures(refusals, messages ?? []);
  return { batch, failures, positions: partitions !== null && offsets !== null ? { partitions, offsets } : null };
}

function toFailures(refusals: Int32Array, messages: readonly string[]): readonly DeliveryFailure[] {
  const failures: DeliveryFailure[] = [];
  for (let at = 0; at + 2 < refusals.length; at += 3) {
    const [code, description] = describeError(refusals[at + 1] ?? 0);
    failures.push({ index: refusals[at] ?? 0, code, message: messages[refusals[at + 2] ?? -1] ?? description });
  }
  return failures;
}
