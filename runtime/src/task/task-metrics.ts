import { type MetricSettings, MetricWindow } from "./metric-window.ts";

/** Counters of offset commits, of both kinds of tasks (contract §11, connector-task-metrics). */
export interface CommitMetrics {
  succeeded(durationMs: number): void;
  failed(durationMs: number): void;
  values(): Readonly<Record<string, number>>;
}

export function createCommitMetrics(settings: MetricSettings): CommitMetrics {
  const times = new MetricWindow(settings);
  const successes = new MetricWindow(settings);
  const failures = new MetricWindow(settings);
  return {
    succeeded(durationMs) {
      successes.record(1);
      times.record(durationMs);
    },
    failed(durationMs) {
      failures.record(1);
      times.record(durationMs);
    },
    values() {
      const total = successes.sum() + failures.sum();
      return {
        "offset-commit-max-time-ms": times.max(),
        "offset-commit-avg-time-ms": times.average(),
        "offset-commit-success-percentage": total === 0 ? 0 : successes.sum() / total,
        "offset-commit-failure-percentage": total === 0 ? 0 : failures.sum() / total,
      };
    },
  };
}

/** A number that only grows, and how fast it grew lately. */
export class CountedRate {
  readonly #window: MetricWindow;
  #total = 0;

  constructor(settings: MetricSettings) {
    this.#window = new MetricWindow(settings);
  }

  add(count: number): void {
    this.#total += count;
    this.#window.record(count);
  }

  total(): number {
    return this.#total;
  }

  rate(): number {
    return this.#window.rate();
  }
}

/** A number that goes up and down, with its recent mean and largest value. */
export class Level {
  readonly #window: MetricWindow;
  #value = 0;

  constructor(settings: MetricSettings) {
    this.#window = new MetricWindow(settings);
  }

  change(by: number): void {
    this.#value = Math.max(0, this.#value + by);
    this.#window.record(this.#value);
  }

  /** Back to zero, if it is not there. */
  end(): void {
    if (this.#value !== 0) this.change(-this.#value);
  }

  /** `<name>`, `<name>-max` and `<name>-avg`. */
  values(name: string): Readonly<Record<string, number>> {
    return {
      [name]: this.#value,
      [`${name}-max`]: orZero(this.#window.max()),
      [`${name}-avg`]: orZero(this.#window.average()),
    };
  }
}

function orZero(value: number): number {
  return Number.isNaN(value) ? 0 : value;
}
