import { addon, type ConsumerHandle, type NativeError, type NativeRebalance } from "@headrace/native";
import { ConnectError } from "../errors.ts";
import { toConfigPairs } from "./native-config.ts";
import { describeError, toKafkaError, wrapAddonError } from "./native-error.ts";
import { toInboundBatch } from "./native-inbound.ts";
import { feedTokens } from "./native-token.ts";
import { toTopicPattern } from "./native-topic-pattern.ts";
import { Wakes } from "./native-wakes.ts";
import type {
  ConsumerEvent,
  Partition,
  PartitionOffset,
  RecordConsumer,
  RecordConsumerOptions,
} from "./record-consumer.ts";

/**
 * Opens a consumer and joins its group, in the background. Keeps the process alive until it is closed.
 * Throws ConnectError `config-invalid` if librdkafka refuses the configuration or the pattern cannot be translated.
 *
 * Guarantees: heartbeats go on while JavaScript is busy, and end the membership after `max.poll.interval.ms` without a call of `next`.
 * Records of a revoked partition that were fetched ahead are dropped, not delivered. Up to one batch is fetched ahead.
 */
export function openRecordConsumer(options: RecordConsumerOptions): RecordConsumer {
  return new NativeRecordConsumer(options);
}

/** Errors that do not pass by themselves: without rights, without identity, or (auto.offset.reset=none) without a position. */
const LASTING_ERRORS = new Set([
  "_AUTHENTICATION",
  "_AUTO_OFFSET_RESET",
  "_SSL",
  "CLUSTER_AUTHORIZATION_FAILED",
  "FENCED_INSTANCE_ID",
  "GROUP_AUTHORIZATION_FAILED",
  "INCONSISTENT_GROUP_PROTOCOL",
  "SASL_AUTHENTICATION_FAILED",
  "TOPIC_AUTHORIZATION_FAILED",
]);

/** Kafka's own topics, which Java's `exclude.internal.topics` keeps out of pattern subscriptions. */
const INTERNAL_TOPICS = "^__consumer_offsets$,^__transaction_state$,^__share_group_state$";

interface PendingAnswer {
  readonly doing: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class NativeRecordConsumer implements RecordConsumer {
  readonly #handle: ConsumerHandle;
  readonly #wakes = new Wakes();
  readonly #onLog: RecordConsumerOptions["onLog"];
  readonly #answers = new Map<number, PendingAnswer>();
  #topics: readonly string[] = [];
  #lastId = 0;
  #waiting = false;
  #unanswered = false;
  #answeredByClose = false;
  #closed: Promise<void> | null = null;
  #reaped = false;
  readonly #endTokens: () => void;

  constructor(options: RecordConsumerOptions) {
    this.#onLog = options.onLog;
    const { config, subscription, maxRecords, maxBytes } = options;
    const byPattern = "regex" in subscription;
    const exclude = byPattern ? { "topic.blacklist": INTERNAL_TOPICS } : {};
    try {
      this.#handle = addon.consumerOpen(
        toConfigPairs({ ...exclude, ...config }),
        byPattern ? [toTopicPattern(subscription.regex)] : subscription.topics,
        maxRecords,
        maxBytes,
        options.onLog !== undefined,
        () => this.#wake(),
      );
    } catch (error) {
      throw wrapAddonError("cannot open a consumer", error);
    }
    const door: Parameters<typeof feedTokens>[1] = {
      set: (...token) => addon.consumerSetToken(this.#handle, ...token),
      fail: (reason) => addon.consumerFailToken(this.#handle, reason),
    };
    this.#endTokens = options.oauth == null ? () => {} : feedTokens(options.oauth, door);
  }

  async next(timeoutMs: number, signal: AbortSignal): Promise<ConsumerEvent> {
    signal.throwIfAborted();
    if (this.#waiting) throw new Error("next was called while another next was waiting");
    if (this.#unanswered) throw new Error("next was called before the last event was acknowledged");
    const ready = this.#take();
    if (ready !== null) return ready;
    if (timeoutMs <= 0) return IDLE;
    this.#waiting = true;
    try {
      return await this.#await(timeoutMs, signal);
    } finally {
      this.#waiting = false;
      // A close that began meanwhile counted on this call to take its last events.
      if (this.#closed !== null && !this.#unanswered) addon.consumerClose(this.#handle, false, false);
    }
  }

  async #await(timeoutMs: number, signal: AbortSignal): Promise<ConsumerEvent> {
    const timer = new AbortController();
    const timeout = setTimeout(() => timer.abort(), timeoutMs);
    try {
      return await this.#wakes.until(() => this.#take() ?? undefined, AbortSignal.any([signal, timer.signal]));
    } catch (error) {
      addon.consumerRest(this.#handle);
      if (timer.signal.aborted && !signal.aborted) return IDLE;
      throw error;
    } finally {
      clearTimeout(timeout);
    }
  }

  acknowledge(positions: readonly PartitionOffset[] = []): void {
    if (this.#answeredByClose) return;
    addon.consumerAcknowledge(this.#handle, ...toColumns(positions));
    this.#unanswered = false;
    if (this.#closed !== null) addon.consumerClose(this.#handle, false, false);
  }

  async commit(offsets: readonly PartitionOffset[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (offsets.length === 0) return;
    const columns = toColumns(offsets);
    await this.#answer("cannot commit", signal, (id) => addon.consumerCommit(this.#handle, id, ...columns));
  }

  async seek(position: PartitionOffset, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const columns = toColumns([position]);
    const doing = `cannot seek ${position.topic}-${position.partition}`;
    await this.#answer(doing, signal, (id) => addon.consumerSeek(this.#handle, id, ...columns));
  }

  pause(partitions: readonly Partition[]): void {
    this.#pause(partitions, true);
  }

  resume(partitions: readonly Partition[]): void {
    this.#pause(partitions, false);
  }

  #pause(partitions: readonly Partition[], pause: boolean): void {
    const topics = partitions.map(({ topic }) => topic);
    const numbers = Int32Array.from(partitions, ({ partition }) => partition);
    addon.consumerPause(this.#handle, topics, numbers, pause);
  }

  memberId(): string {
    return addon.consumerMemberId(this.#handle);
  }

  close(signal: AbortSignal): Promise<void> {
    this.#closed ??= this.#close(signal);
    return this.#closed;
  }

  async #close(signal: AbortSignal): Promise<void> {
    if (this.#unanswered) this.#answeredByClose = true;
    this.#unanswered = false;
    addon.consumerClose(this.#handle, signal.aborted, this.#waiting);
    try {
      await this.#wakes.until(() => (addon.consumerReap(this.#handle) ? null : undefined), signal);
    } catch (error) {
      addon.consumerAbandon(this.#handle);
      throw error;
    } finally {
      this.#endTokens();
      this.#reaped = true;
      for (const [id, pending] of this.#answers) this.#settle(id, () => pending.reject(closedError()));
      this.#wakes.ring();
    }
  }

  /** Calls `ask` with a new id and waits for the answer under it. An abort ends the wait, not the request. */
  #answer(doing: string, signal: AbortSignal, ask: (id: number) => void): Promise<void> {
    const id = ++this.#lastId;
    return new Promise<void>((resolve, reject) => {
      if (this.#reaped) throw closedError();
      const abort = () => this.#settle(id, () => reject(signal.reason));
      const done = (end: () => void) => {
        signal.removeEventListener("abort", abort);
        end();
      };
      this.#answers.set(id, {
        doing,
        resolve: () => done(resolve),
        reject: (error) => done(() => reject(error)),
      });
      signal.addEventListener("abort", abort, { once: true });
      try {
        ask(id);
      } catch (error) {
        this.#settle(id, () => done(() => reject(wrapAddonError(doing, error))));
      }
    });
  }

  #settle(id: number, end: () => void): void {
    if (this.#answers.delete(id)) end();
  }

  #wake(): void {
    for (const [id, code, message] of addon.consumerTakeAnswers(this.#handle)) {
      const pending = this.#answers.get(id);
      if (pending === undefined) continue;
      this.#settle(id, code === 0 ? pending.resolve : () => pending.reject(toKafkaError(pending.doing, code, message)));
    }
    if (this.#onLog !== undefined) {
      for (const [level, message] of addon.consumerTakeLogs(this.#handle)) this.#onLog({ level, message });
    }
    this.#wakes.ring();
  }

  /** What there is now, or null. Throws lasting errors; the others are only logged. */
  #take(): ConsumerEvent | null {
    for (;;) {
      if (this.#reaped) throw closedError();
      const taken = addon.consumerTake(this.#handle);
      if (taken === null) return null;
      switch (taken[0]) {
        case "batch":
          if (taken[6].length > 0) this.#topics = [...this.#topics, ...taken[6]];
          return { kind: "batch", batch: toInboundBatch(taken, this.#topics) };
        case "error":
          this.#throwIfLasting(taken[1]);
          break;
        case "assigned":
        case "revoked":
          this.#unanswered = true;
          return toRebalanceEvent(taken);
        default:
          throw new Error(`unreachable: ${taken satisfies never}`);
      }
    }
  }

  #throwIfLasting([code, fatal, message]: NativeError): void {
    const [name] = describeError(code);
    if (fatal || LASTING_ERRORS.has(name)) throw toKafkaError("the consumer failed", code, message);
    this.#onLog?.({ level: 4, message: `${name}: ${message}` });
  }
}

const IDLE: ConsumerEvent = { kind: "idle" };

const closedError = () => new ConnectError("kafka", "the consumer is closed");

function toColumns(positions: readonly PartitionOffset[]): [string[], Int32Array, BigInt64Array] {
  return [
    positions.map(({ topic }) => topic),
    Int32Array.from(positions, ({ partition }) => partition),
    BigInt64Array.from(positions, ({ offset }) => offset),
  ];
}

function toRebalanceEvent([kind, topics, partitions, offsets, lost]: NativeRebalance): ConsumerEvent {
  const list = topics.map((topic, index) => ({ topic, partition: partitions[index] ?? 0 }));
  if (kind === "revoked") return { kind, partitions: list, lost };
  const offsetOf = (index: number) => {
    const offset = offsets[index] ?? -1n;
    return offset < 0n ? null : offset;
  };
  return { kind, partitions: list.map((partition, index) => ({ ...partition, offset: offsetOf(index) })) };
}
