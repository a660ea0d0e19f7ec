import { type CommitMetrics, createCommitMetrics, createDistribution } from "./task-metrics.ts";

/** Counters of a sink task by the names of contract §11. */
export interface SinkMetrics {
  read(records: number): void;
  put(records: number, durationMs: number): void;
  assigned(partitions: number): void;
  committed(): void;
  skippedCommit(): void;
  readonly commits: CommitMetrics;
  values(): Readonly<Record<string, number>>;
}

export function createSinkMetrics(): SinkMetrics {
  const commits = createCommitMetrics();
  const putTimes = createDistribution();
  const batchSizes = createDistribution();
  let read = 0;
  let sent = 0;
  let partitions = 0;
  let completed = 0;
  let skipped = 0;
  return {
    commits,
    read: (records) => {
      read += records;
    },
    put(records, durationMs) {
      if (records === 0) return;
      sent += records;
      batchSizes.add(records);
      putTimes.add(durationMs);
    },
    assigned: (count) => {
      partitions = count;
    },
    committed: () => {
      completed += 1;
    },
    skippedCommit: () => {
      skipped += 1;
    },
    values: () => ({
      "sink-record-read-total": read,
      "sink-record-send-total": sent,
      "sink-record-active-count": Math.max(0, read - sent),
      "partition-count": partitions,
      "offset-commit-seq-no": completed,
      "offset-commit-completion-total": completed,
      "offset-commit-skip-total": skipped,
      "put-batch-max-time-ms": putTimes.max(),
      "put-batch-avg-time-ms": putTimes.mean(),
      "batch-size-max": batchSizes.max(),
      "batch-size-avg": batchSizes.mean(),
      ...commits.values(),
    }),
  };
}
