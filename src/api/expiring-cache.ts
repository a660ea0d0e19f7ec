/** Values that are right for a while. A value that is being loaded is loaded once for all who want it; failures are not kept. */
export interface ExpiringCache<T> {
  get(key: string, load: () => Promise<T>): Promise<T>;
}

export interface ExpiringCacheOptions<T> {
  /** With more than so many the oldest go. */
  readonly maxEntries: number;
  /** How long a value counts from the start of its loading, ms. */
  readonly lifeMs: (value: T) => number;
  /** Monotonic, ms. */
  readonly now: () => number;
}

interface Entry<T> {
  readonly value: Promise<T>;
  /** Infinity while it is being loaded. */
  untilMs: number;
}

export function createExpiringCache<T>({ maxEntries, lifeMs, now }: ExpiringCacheOptions<T>): ExpiringCache<T> {
  const entries = new Map<string, Entry<T>>();

  async function follow(key: string, entry: Entry<T>, startedMs: number): Promise<void> {
    try {
      entry.untilMs = startedMs + lifeMs(await entry.value);
    } catch {
      // Those who wait for the value get the error; the next one asks again.
      if (entries.get(key) === entry) entries.delete(key);
    }
  }

  return {
    get(key, load) {
      const kept = entries.get(key);
      if (kept !== undefined && now() < kept.untilMs) return kept.value;
      const entry: Entry<T> = { value: load(), untilMs: Number.POSITIVE_INFINITY };
      entries.delete(key);
      entries.set(key, entry);
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries) break;
        entries.delete(oldest);
      }
      follow(key, entry, now()).catch(() => undefined);
      return entry.value;
    },
  };
}
