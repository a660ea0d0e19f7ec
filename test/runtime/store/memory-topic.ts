import type { LogRecord, NewRecord, TopicLog } from "#runtime/kafka/topic-log.ts";

/** A topic of one partition in memory. Each `open` is another worker's view of it. */
export interface MemoryTopic {
  readonly records: readonly { readonly key: string; readonly value: string | null }[];
  open(): MemoryLog;
  /** Writes past all stores, as another worker would. */
  write(key: string, value: string | null): void;
}

export interface MemoryLog extends TopicLog {
  /** Attempts of appends that fail from now on before one succeeds; `whileAway` runs after each failed one. */
  failNext(attempts: number, whileAway?: () => void): void;
  /** Delivers what was written since. Stores see nothing before that or a read to the end. */
  deliver(): void;
}

/** Makes an empty topic. */
export function createMemoryTopic(): MemoryTopic {
  const written: LogRecord[] = [];
  let clockMs = 1_700_000_000_000;

  function push({ key, value }: NewRecord): void {
    clockMs += 1;
    written.push({ partition: 0, offset: BigInt(written.length), timestampMs: clockMs, key, value });
  }

  return {
    get records() {
      return written.map(({ key, value }) => ({ key: key?.toString() ?? "", value: value?.toString() ?? null }));
    },
    write(key, value) {
      push({ key: Buffer.from(key), value: value === null ? null : Buffer.from(value) });
    },
    open() {
      let onRecords: (records: readonly LogRecord[]) => void = () => {};
      let position = 0;
      let failures = 0;
      let away: () => void = () => {};
      const deliver = () => {
        const fresh = written.slice(position);
        position = written.length;
        if (fresh.length > 0) onRecords(fresh);
      };
      return {
        async start(listener) {
          onRecords = listener;
          deliver();
        },
        async append(records, before, signal) {
          for (let attempt = 0; ; attempt++) {
            signal.throwIfAborted();
            await before?.(attempt, signal);
            if (failures === 0) break;
            failures -= 1;
            away();
          }
          for (const record of records) push(record);
        },
        async readToEnd(signal) {
          signal.throwIfAborted();
          deliver();
        },
        async stop() {},
        deliver,
        failNext(attempts, whileAway = () => {}) {
          failures = attempts;
          away = whileAway;
        },
      };
    },
  };
}
