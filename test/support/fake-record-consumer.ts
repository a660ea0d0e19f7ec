import type {
  ConsumerEvent,
  InboundBatch,
  Partition,
  PartitionOffset,
  RecordConsumer,
} from "#runtime/kafka/record-consumer.ts";

export interface FakeConsumer extends RecordConsumer {
  /** Everything that was done with it, in order: `acknowledge`, `commit t-0@5`, `seek t-0@3`, `pause t-0`, `resume t-0`, `close`. */
  readonly log: string[];
  /** The next event to deliver. */
  push(event: ConsumerEvent): void;
  /** Resolves when all events were taken and the consumer is polled again. */
  drained(): Promise<void>;
  /** What `commit` does instead of succeeding. */
  onCommit: ((offsets: readonly PartitionOffset[]) => Promise<void>) | null;
  readonly committed: Map<string, bigint>;
}

/** A consumer whose events are the test's. `next` answers `idle` after a few milliseconds without one. */
export function createFakeConsumer(log: string[] = []): FakeConsumer {
  const events: ConsumerEvent[] = [];
  let polled: (() => void)[] = [];
  let wake = () => {};
  let closed = false;

  const fake: FakeConsumer = {
    log,
    committed: new Map(),
    onCommit: null,
    push(event) {
      events.push(event);
      wake();
    },
    drained: () =>
      new Promise((resolve) => {
        polled.push(resolve);
      }),
    async next(timeoutMs, signal) {
      signal.throwIfAborted();
      if (closed) throw new Error("the consumer is closed");
      if (events.length === 0) {
        const drained = polled;
        polled = [];
        for (const resolve of drained) resolve();
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(timeoutMs, 5));
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
          signal.addEventListener("abort", wake, { once: true });
        });
        wake = () => {};
        signal.throwIfAborted();
      }
      return events.shift() ?? { kind: "idle" };
    },
    acknowledge(positions = []) {
      log.push(["acknowledge", ...positions.map(show)].join(" "));
    },
    async commit(offsets) {
      await fake.onCommit?.(offsets);
      log.push(["commit", ...offsets.map(show)].join(" "));
      for (const { topic, partition, offset } of offsets) fake.committed.set(`${topic}-${partition}`, offset);
    },
    async seek(position) {
      log.push(`seek ${show(position)}`);
    },
    pause(partitions) {
      log.push(["pause", ...partitions.map(name)].join(" "));
    },
    resume(partitions) {
      log.push(["resume", ...partitions.map(name)].join(" "));
    },
    memberId: () => "member",
    async close() {
      if (closed) return;
      closed = true;
      log.push("close");
    },
  };
  return fake;
}

function name({ topic, partition }: Partition): string {
  return `${topic}-${partition}`;
}

function show(position: PartitionOffset): string {
  return `${name(position)}@${position.offset}`;
}

/** A record as a test writes it down. */
export interface InboundRecord {
  readonly topic?: string;
  readonly partition?: number;
  readonly offset: bigint;
  readonly key?: string | null;
  readonly value: string | Buffer | null;
  readonly headers?: readonly { readonly key: string; readonly value: Buffer | null }[];
  readonly timestamp?: number;
}

/** A batch as the consumer delivers it. */
export function inboundBatch(records: readonly InboundRecord[]): InboundBatch {
  const topics = [...new Set(records.map((record) => record.topic ?? "t"))];
  const parts: Buffer[] = [];
  let size = 0;
  const place = (payload: string | Buffer | null | undefined): [number, number] => {
    if (payload === null || payload === undefined) return [-1, -1];
    const bytes = Buffer.from(payload);
    parts.push(bytes);
    size += bytes.length;
    return [size - bytes.length, size];
  };
  const keys = records.flatMap((record) => place(record.key));
  const values = records.flatMap((record) => place(record.value));
  return {
    count: records.length,
    data: Buffer.concat(parts),
    topics,
    topicIndex: Uint32Array.from(records, (record) => topics.indexOf(record.topic ?? "t")),
    partitions: Int32Array.from(records, (record) => record.partition ?? 0),
    offsets: BigInt64Array.from(records, (record) => record.offset),
    timestamps: Float64Array.from(records, (record) => record.timestamp ?? -1),
    keys: Int32Array.from(keys),
    values: Int32Array.from(values),
    headers: (index) => records[index]?.headers ?? null,
    copy: () => inboundBatch(records),
  };
}
