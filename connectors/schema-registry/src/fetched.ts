import { DataError, NotReady } from "@headrace/sdk";

type Entry<V> =
  | { readonly kind: "pending"; readonly ready: Promise<void> }
  | { readonly kind: "value"; readonly value: V; readonly until: number; fresh: boolean }
  | { readonly kind: "failed"; readonly error: DataError; readonly until: number };

export interface FetchedOptions {
  /** Number of entries to keep; those longest unused go first. */
  readonly size: number;
  /** Milliseconds for which a value is kept; infinite if not given. */
  readonly lifeMs?: number;
  /** Milliseconds since any fixed time. */
  readonly now?: () => number;
}

/** What a DataError is remembered for: nothing is asked again for each of thousands of records. */
const FAILURE_MS = 10_000;

/**
 * Values that are fetched once, however many records ask for them at a time. `get` throws NotReady while one is on its way. A DataError of
 * the fetch is remembered for ten seconds; any other failure is told once, and the next call fetches again.
 */
export class Fetched<V> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #options: FetchedOptions;

  constructor(options: FetchedOptions) {
    this.#options = options;
  }

  get(key: string, fetch: () => Promise<V>): V {
    const entry = this.#entries.get(key);
    const now = (this.#options.now ?? Date.now)();
    if (entry?.kind === "pending") throw new NotReady(entry.ready);
    if (entry?.kind === "failed" && now < entry.until) throw entry.error;
    if (entry?.kind === "value" && (entry.fresh || now < entry.until)) {
      entry.fresh = false; // The record that waited for it gets it, however long that took.
      this.#entries.delete(key);
      this.#entries.set(key, entry);
      return entry.value;
    }
    const ready = this.#fetch(key, fetch);
    ready.catch(() => {}); // Told to the records that wait.
    this.#put(key, { kind: "pending", ready });
    throw new NotReady(ready);
  }

  async #fetch(key: string, fetch: () => Promise<V>): Promise<void> {
    const now = this.#options.now ?? Date.now;
    try {
      const value = await fetch();
      this.#put(key, {
        kind: "value",
        value,
        until: now() + (this.#options.lifeMs ?? Number.POSITIVE_INFINITY),
        fresh: true,
      });
    } catch (error) {
      if (error instanceof DataError) this.#put(key, { kind: "failed", error, until: now() + FAILURE_MS });
      else this.#entries.delete(key);
      throw error;
    }
  }

  #put(key: string, entry: Entry<V>): void {
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    for (const [oldest, { kind }] of this.#entries) {
      if (this.#entries.size <= this.#options.size) return;
      if (kind !== "pending" && oldest !== key) this.#entries.delete(oldest);
    }
  }
}
