import type { Logger } from "@headrace/sdk";
import { S3Error } from "../store/failure.ts";
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

/** An object of which Kafka does not have all yet. */
interface Reading {
  /** Records that were given out and not acknowledged. */
  outstanding: number;
  /** No more records come. */
  ended: boolean;
}

/** Deletes or moves objects when Kafka has all of their records, unless they were replaced meanwhile (invariant 1). */
export class FinishedObjects {
  readonly #parts: Parts;
  readonly #reading = new Map<string, Reading>();
  #waiting: FinishedObject[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** So many records of it are on their way to Kafka. */
  sent(object: FinishedObject, count: number): void {
    if (count === 0) return;
    const reading = this.#reading.get(nameOf(object)) ?? { outstanding: 0, ended: false };
    reading.outstanding += count;
    this.#reading.set(nameOf(object), reading);
  }

  /** Kafka has one of them. `last`: it is known to be the object's last. */
  acknowledged(object: FinishedObject, last: boolean): void {
    const reading = this.#reading.get(nameOf(object));
    if (reading === undefined) {
      if (last) this.#waiting.push(object);
      return;
    }
    reading.outstanding -= 1;
    if (last || reading.outstanding <= 0) this.#reading.delete(nameOf(object));
    if (last || (reading.outstanding <= 0 && reading.ended)) this.#waiting.push(object);
  }

  /** It has no more records, and none of those before said so: it is done with when Kafka has them. */
  ended(object: FinishedObject): void {
    const reading = this.#reading.get(nameOf(object));
    if (reading === undefined) this.#waiting.push(object);
    else reading.ended = true;
  }

  /** Deals with all that wait; what is left when it rejects waits for the next time. */
  async settle(signal: AbortSignal): Promise<void> {
    const { log, gone } = this.#parts;
    for (let [object] = this.#waiting; object !== undefined; [object] = this.#waiting) {
      const { key } = object;
      if (!(await this.#putAway(object, signal)))
        log.warn({ key }, "object was replaced or is gone, it stays as it is");
      this.#waiting = this.#waiting.slice(1);
      gone(key);
    }
  }

  /** False if it is not there any more as it was read. */
  async #putAway({ key, etag }: FinishedObject, signal: AbortSignal): Promise<boolean> {
    const { store, movePrefix } = this.#parts;
    if ((await store.head(key, signal))?.etag !== etag) return false;
    try {
      if (movePrefix !== null) await store.copy({ key, etag }, `${movePrefix}${key}`, signal);
    } catch (error) {
      if (error instanceof S3Error && (error.status === 404 || error.status === 412)) return false;
      throw error;
    }
    await store.remove(key, signal);
    return true;
  }
}

const nameOf = ({ key, etag }: FinishedObject): string => `${etag} ${key}`;
