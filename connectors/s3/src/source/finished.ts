import type { Logger } from "@headrace/sdk";
import type { ObjectStore } from "../store/object-store.ts";

/** An object all of whose records are in Kafka. */
export interface FinishedObject {
  readonly key: string;
  readonly etag: string;
}

interface Parts {
  readonly store: ObjectStore;
  /** Null: they are deleted. */
  readonly movePrefix: string | null;
  readonly log: Logger;
  /** Told of each that is dealt with. */
  readonly gone: (key: string) => void;
}

/** Deletes or moves objects when they are done with, unless they were replaced meanwhile. */
export class FinishedObjects {
  readonly #parts: Parts;
  #waiting: FinishedObject[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  add(object: FinishedObject): void {
    this.#waiting.push(object);
  }

  /** Deals with all that wait; what is left when it rejects waits for the next time. */
  async settle(signal: AbortSignal): Promise<void> {
    const { store, movePrefix, log, gone } = this.#parts;
    for (let [object] = this.#waiting; object !== undefined; [object] = this.#waiting) {
      const { key, etag } = object;
      if ((await store.head(key, signal))?.etag === etag) {
        if (movePrefix !== null) await store.copy(key, `${movePrefix}${key}`, signal);
        await store.remove(key, signal);
      } else log.warn({ key }, "object was replaced or is gone, it stays as it is");
      this.#waiting = this.#waiting.slice(1);
      gone(key);
    }
  }
}
