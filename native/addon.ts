/**
 * What the addon itself exports: the doors in `src/*_door.cc` and `src/module.cc`. Wrong arguments throw, on its side.
 * `wake` functions are called without arguments from the event loop; several wakes may come as one.
 */
export interface Addon {
  version(): string;
  /** Comma separated. */
  features(): string;
  /** Name without prefix and description of one of librdkafka's error codes. */
  describeError(code: number): readonly [name: string, description: string];
  dieWithParent(expectedParentPid: number): boolean;

  /** `config`: names and values in turn. The handle stays valid after the close; using it then throws ERR_CLOSED. */
  producerOpen(
    config: readonly string[],
    reportPositions: boolean,
    stopOnFailure: boolean,
    keepLogs: boolean,
    wake: () => void,
  ): ProducerHandle;
  /** A number for `columns`. */
  producerTopic(handle: ProducerHandle, name: string): number;
  /** Begins a batch of `size` records; one at a time. */
  producerOpenBatch(handle: ProducerHandle, number: number, size: number): void;
  /**
   * Queues records `from` to `count` of a chunk and returns how far it came; less than `count` if the queue is full (a wake follows when
   * there is room) or if the producer has stopped. Record i:
   * `columns` 8i: [topic][partition or -1][key start][key end][value start][value end][headers start][headers end], ranges of `data`,
   * start -1 for null; `timestamps` i, 0 for now. Headers: [name length:int32 LE][name][value length:int32 LE, -1 for null][value]…
   */
  producerProduce(
    handle: ProducerHandle,
    data: Uint8Array,
    columns: Int32Array,
    timestamps: Float64Array,
    count: number,
    from: number,
  ): number;
  /** Ends the batch: records of its size that were not queued count as refused with _PURGE_QUEUE. */
  producerSealBatch(handle: ProducerHandle): void;
  producerTakeSettled(handle: ProducerHandle): readonly NativeSettledBatch[];
  producerOutstanding(handle: ProducerHandle): number;
  /** Why it stopped; null while it has not. */
  producerFailure(handle: ProducerHandle): NativeError | null;
  /** Sends at once what lingers, until nothing is outstanding. */
  producerFlush(handle: ProducerHandle): void;
  /** Begins a step of a transaction: 0 init, 1 begin, 2 commit, 3 abort. One at a time; a wake follows its end. */
  producerTransact(handle: ProducerHandle, step: number): void;
  /** Null while the step goes on; code 0 is success. `abortable`: another transaction may follow once this one is aborted. */
  producerTakeTransacted(
    handle: ProducerHandle,
  ): readonly [code: number, fatal: boolean, message: string, abortable: boolean] | null;
  /** Records that librdkafka itself still has, with reports that are not counted yet. */
  producerHeld(handle: ProducerHandle): number;
  /** Errors that are not fatal, as of brokers that refuse the client; a wake tells when to ask. */
  producerTakeErrors(handle: ProducerHandle): readonly NativeError[];
  /** The OAUTHBEARER token from now on; extensions are names and values in turn. Throws ERR_TOKEN if it is not acceptable. */
  producerSetToken(
    handle: ProducerHandle,
    value: string,
    expiresMs: number,
    principal: string,
    extensions: readonly string[],
  ): void;
  /** There is no token; the reason comes back as an error of the client. */
  producerFailToken(handle: ProducerHandle, reason: string): void;
  producerClose(handle: ProducerHandle): void;
  /** True once the close is complete; a wake tells when to ask. */
  producerReap(handle: ProducerHandle): boolean;
  producerTakeLogs(handle: ProducerHandle): readonly NativeLogLine[];

  /** `subscription`: topic names, or patterns that begin with `^`. Automatic commits are always off. */
  consumerOpen(
    config: readonly string[],
    subscription: readonly string[],
    maxRecords: number,
    maxBytes: number,
    keepLogs: boolean,
    wake: () => void,
  ): ConsumerHandle;
  /** What there is next; null: nothing now, a wake follows. A batch's memory is filled again after the next call. */
  consumerTake(handle: ConsumerHandle): NativeBatch | NativeRebalance | NativeConsumerError | null;
  /** The wake that the last take promised is no longer waited for. Without takes, fetching ends after a second. */
  consumerRest(handle: ConsumerHandle): void;
  /** Answers the rebalance that was taken; positions only for partitions of an assignment. */
  consumerAcknowledge(
    handle: ConsumerHandle,
    topics: readonly string[],
    partitions: Int32Array,
    offsets: BigInt64Array,
  ): void;
  /** The answer comes under `id`, a number of the caller's. */
  consumerCommit(
    handle: ConsumerHandle,
    id: number,
    topics: readonly string[],
    partitions: Int32Array,
    offsets: BigInt64Array,
  ): void;
  /** One position; the answer comes under `id`. From now on no record of before is delivered. */
  consumerSeek(
    handle: ConsumerHandle,
    id: number,
    topics: readonly string[],
    partitions: Int32Array,
    offsets: BigInt64Array,
  ): void;
  /** From now on no record of these partitions is delivered until they are resumed; none is lost. */
  consumerPause(handle: ConsumerHandle, topics: readonly string[], partitions: Int32Array, pause: boolean): void;
  /** Answers to commits and seeks; code 0 is success. */
  consumerTakeAnswers(handle: ConsumerHandle): readonly (readonly [id: number, code: number, message: string])[];
  consumerMemberId(handle: ConsumerHandle): string;
  /** As of a producer. */
  consumerSetToken(
    handle: ConsumerHandle,
    value: string,
    expiresMs: number,
    principal: string,
    extensions: readonly string[],
  ): void;
  consumerFailToken(handle: ConsumerHandle, reason: string): void;
  /**
   * Leaves the group; with `force` only frees the client. With `deliver`, rebalances are still given out and wait for their answer,
   * otherwise they are answered by the addon. May be called again to change either.
   */
  consumerClose(handle: ConsumerHandle, force: boolean, deliver: boolean): void;
  /** True once the close is complete; a wake tells when to ask. */
  consumerReap(handle: ConsumerHandle): boolean;
  /** Instead of waiting for a forced close: it is completed in the background, and nothing more is heard of the client. */
  consumerAbandon(handle: ConsumerHandle): void;
  consumerTakeLogs(handle: ConsumerHandle): readonly NativeLogLine[];
}

/**
 * `columns`, each for `capacity` records: [offset:int64]* [timestamp:float64]* [key start, end:int32]* [value start, end:int32]*
 * [headers start, end:int32]* [topic:uint32]* [partition:int32]*. Ranges are of `data`, start -1 for null; headers as in
 * `producerProduce`. `newTopics` continue the list that the topic column points into.
 */
export type NativeBatch = readonly [
  kind: "batch",
  count: number,
  data: ArrayBuffer,
  used: number,
  columns: ArrayBuffer,
  capacity: number,
  newTopics: readonly string[],
];

/** Offset -1: nothing was committed. */
export type NativeRebalance = readonly [
  kind: "assigned" | "revoked",
  topics: readonly string[],
  partitions: Int32Array,
  offsets: BigInt64Array,
  lost: boolean,
];

export type NativeConsumerError = readonly [kind: "error", error: NativeError];

export type NativeError = readonly [code: number, fatal: boolean, message: string];

/** `level` as in syslog(3): 3 is an error, 4 a warning, 6 information, 7 debugging. */
export type NativeLogLine = readonly [level: number, text: string];

/** `refusals`: index, code, index in `messages` or -1, per refused record, ordered by index; null for none. */
export type NativeSettledBatch = readonly [
  number: number,
  refusals: Int32Array | null,
  messages: readonly string[] | null,
  partitions: Int32Array | null,
  offsets: BigInt64Array | null,
];

declare const producerBrand: unique symbol;
export interface ProducerHandle {
  readonly [producerBrand]: true;
}

declare const consumerBrand: unique symbol;
export interface ConsumerHandle {
  readonly [consumerBrand]: true;
}
