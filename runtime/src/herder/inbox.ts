/** Messages in the order in which they came, for one reader. */
export interface Inbox<T> {
  /** Never blocks; a message that arrives after `close` is dropped. */
  post(message: T): void;
  /** Everything that waits; resolves as soon as there is at least one message, with `[]` once closed. */
  take(): Promise<readonly T[]>;
  close(): void;
}

/** Creates an empty inbox. */
export function createInbox<T>(): Inbox<T> {
  let waiting: T[] = [];
  let closed = false;
  let wake: (() => void) | null = null;
  const signal = () => {
    wake?.();
    wake = null;
  };
  return {
    post(message) {
      if (closed) return;
      waiting.push(message);
      signal();
    },
    async take() {
      while (waiting.length === 0 && !closed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const batch = waiting;
      waiting = [];
      return batch;
    },
    close() {
      closed = true;
      signal();
    },
  };
}
