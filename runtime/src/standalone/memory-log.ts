import type { LogRecord, NewRecord, TopicLog } from "../kafka/topic-log.ts";

/** Where a log in memory begins, and who is told before its records count as written. */
export interface Backing {
  load(): Promise<readonly { readonly key: Buffer | null; readonly value: Buffer | null }[]>;
  /** Resolves when the records are safe. */
  save(records: readonly NewRecord[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const NOTHING: Backing = { load: async () => [], save: async () => {}, close: async () => {} };

/**
 * A topic log of one process, for standalone mode: what a topic is to the stores, without Kafka.
 *
 * Guarantees: those of {@link TopicLog}. Records are delivered after they were saved, never from within the call of `append`.
 */
export function createMemoryLog(now: () => number, backing: Backing = NOTHING): TopicLog {
  let deliver: (records: readonly LogRecord[]) => void = () => {};
  let next = 0n;
  let tail: Promise<void> = Promise.resolve();
  let stopped = false;

  const hand = (records: readonly { readonly key: Buffer | null; readonly value: Buffer | null }[]) => {
    const made = records.map(({ key, value }): LogRecord => {
      const offset = next;
      next += 1n;
      return { partition: 0, offset, timestampMs: now(), key, value };
    });
    if (made.length > 0) deliver(made);
  };

  /** One after the other, in the order of the calls. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const done = tail.then(work);
    tail = done.catch(() => undefined);
    return done;
  };

  return {
    async start(onRecords, signal) {
      signal.throwIfAborted();
      deliver = onRecords;
      const records = await backing.load();
      await inTurn(async () => hand(records));
    },
    append: (records, before, signal) =>
      inTurn(async () => {
        signal.throwIfAborted();
        if (stopped) throw new Error("the log is stopped");
        await before?.(0, signal);
        await backing.save(records, signal);
        hand(records);
      }),
    // A record is written once it is delivered, so there is nothing to wait for. `before` may ask, too, in the middle of an append.
    async readToEnd(signal) {
      signal.throwIfAborted();
    },
    async stop() {
      stopped = true;
      await tail;
      await backing.close();
    },
  };
}
