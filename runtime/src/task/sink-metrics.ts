import { type MetricSettings, MetricWindow } from "./metric-window.ts";
import { type CommitMetrics, CountedRate, createCommitMetrics, Level } from "./task-metrics.ts";

/** Counters of a sink task by the names of contract §11. Everything is counted once per batch. */
export interface SinkMetrics {
  read(records: number): void;
  /** A `put` has returned: nothing that was read is outstanding any more, unless others still wait for their converters. */
  put(records: number, durationMs: number, othersWait: boolean): void;
  assigned(partitions: number): void;
  /** Number of the commit that begins. */
  sequence(number: number): void;
  committed(): void;
  /** An answer came too late to count. */
  lateCommit(): void;
  readonly commits: CommitMetrics;
  values(): Readonly<Record<string, number>>;
}

export function createSinkMetrics(settings: MetricSettings): SinkMetrics {
  const commits = createCommitMetrics(settings);
  const putTimes = new MetricWindow(settings);
  const batchSizes = new MetricWindow(settings);
  const reads = new CountedRate(settings);
  const sends = new CountedRate(settings);
  const completions = new CountedRate(settings);
  const late = new CountedRate(settings);
  const active = new Level(settings);
  let partitions = 0;
  let lastSequence = 0;
  return {
    commits,
    read(records) {
      reads.add(records);
      active.change(records);
    },
    put(records, durationMs, othersWait) {
      if (!othersWait) active.end();
      if (records === 0) return;
      sends.add(records);
      batchSizes.record(records);
      putTimes.record(durationMs);
    },
    assigned: (count) => {
      partitions = count;
    },
    sequence: (number) => {
      lastSequence = number;
    },
    committed: () => completions.add(1),
    lateCommit: () => late.add(1),
    values: () => ({
      "sink-record-read-total": reads.total(),
      "sink-record-read-rate": reads.rate(),
      "sink-record-send-total": sends.total(),
      "sink-record-send-rate": sends.rate(),
      ...active.values("sink-record-active-count"),
      "partition-count": partitions,
      "offset-commit-seq-no": lastSequence,
      "offset-commit-completion-total": completions.total(),
      "offset-commit-completion-rate": completions.rate(),
      "offset-commit-skip-total": late.total(),
      "offset-commit-skip-rate": late.rate(),
      "put-batch-max-time-ms": putTimes.max(),
      "put-batch-avg-time-ms": putTimes.average(),
      "batch-size-max": batchSizes.max(),
      "batch-size-avg": batchSizes.average(),
      ...commits.values(),
    }),
  };
}
