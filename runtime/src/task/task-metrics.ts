/** Largest and mean of what was seen. */
export interface Distribution {
  add(value: number): void;
  max(): number;
  mean(): number;
}

export function createDistribution(): Distribution {
  let largest = 0;
  let sum = 0;
  let count = 0;
  return {
    add(value) {
      if (value > largest) largest = value;
      sum += value;
      count += 1;
    },
    max: () => largest,
    mean: () => (count === 0 ? 0 : sum / count),
  };
}

/** Counters of offset commits, of both kinds of tasks (contract §11, connector-task-metrics). */
export interface CommitMetrics {
  succeeded(durationMs: number): void;
  failed(durationMs: number): void;
  values(): Readonly<Record<string, number>>;
}

export function createCommitMetrics(): CommitMetrics {
  const times = createDistribution();
  let successes = 0;
  let failures = 0;
  return {
    succeeded(durationMs) {
      successes += 1;
      times.add(durationMs);
    },
    failed(durationMs) {
      failures += 1;
      times.add(durationMs);
    },
    values() {
      const total = successes + failures;
      return {
        "offset-commit-max-time-ms": times.max(),
        "offset-commit-avg-time-ms": times.mean(),
        "offset-commit-success-percentage": total === 0 ? 0 : successes / total,
        "offset-commit-failure-percentage": total === 0 ? 0 : failures / total,
      };
    },
  };
}
