import { type CommitMetrics, createCommitMetrics, createDistribution } from "./task-metrics.ts";

/** Counters of a source task by the names of contract §11. */
export interface SourceMetrics {
  polled(records: number, durationMs: number): void;
  written(records: number): void;
  active(change: number): void;
  readonly commits: CommitMetrics;
  values(): Readonly<Record<string, number>>;
}

export function createSourceMetrics(): SourceMetrics {
  const commits = createCommitMetrics();
  const batchSizes = createDistribution();
  const pollTimes = createDistribution();
  const activeCounts = createDistribution();
  let polled = 0;
  let written = 0;
  let active = 0;
  return {
    commits,
    polled(records, durationMs) {
      polled += records;
      batchSizes.add(records);
      pollTimes.add(durationMs);
    },
    written: (records) => {
      written += records;
    },
    active(change) {
      active = Math.max(0, active + change);
      activeCounts.add(active);
    },
    values: () => ({
      "source-record-poll-total": polled,
      "source-record-write-total": written,
      "source-record-active-count": active,
      "source-record-active-count-max": activeCounts.max(),
      "source-record-active-count-avg": activeCounts.mean(),
      "poll-batch-max-time-ms": pollTimes.max(),
      "poll-batch-avg-time-ms": pollTimes.mean(),
      "batch-size-max": batchSizes.max(),
      "batch-size-avg": batchSizes.mean(),
      ...commits.values(),
    }),
  };
}
