/** The largest of the values of the last one to two windows, as Micrometer's `max`. */
export interface RecentMax {
  note(value: number): void;
  /** 0 if there was none. */
  value(): number;
}

/** Creates it; `now` is monotonic, in milliseconds. */
export function createRecentMax({
  windowMs,
  now,
}: {
  readonly windowMs: number;
  readonly now: () => number;
}): RecentMax {
  let window = 0;
  let [former, present] = [0, 0];

  function turn(): void {
    const current = Math.floor(now() / windowMs);
    if (current === window) return;
    former = current === window + 1 ? present : 0;
    present = 0;
    window = current;
  }

  return {
    note(value) {
      turn();
      present = Math.max(present, value);
    },
    value() {
      turn();
      return Math.max(former, present);
    },
  };
}
