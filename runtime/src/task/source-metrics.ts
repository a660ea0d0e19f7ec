import { DEFAULT_METRIC_SETTINGS, type MetricSettings, MetricWindow } from "./metric-window.ts";
import { type CommitMetrics, CountedRate, createCommitMetrics, Level } from "./task-metrics.ts";

/** Counters of a source task by the names of contract §11. Everything is counted once per batch. */
export interface SourceMetrics {
  polled(records: number, durationMs: number): void;
  written(records: number): void;
  active(change: number): void;
  /** A transaction of so many records was committed (exactly-once only). */
  transaction(records: number): void;
  readonly commits: CommitMetrics;
  values(): Readonly<Record<string, number>>;
}

/** `transactional`: also tells the sizes of transactions. */
export function createSourceMetrics(
  settings: MetricSettings = DEFAULT_METRIC_SETTINGS,
  transactional = false,
): SourceMetrics {
  const commits = createCommitMetrics(settings);
  const batchSizes = new MetricWindow(settings);
  const pollTimes = new MetricWindow(settings);
  const polls = new CountedRate(settings);
  const writes = new CountedRate(settings);
  const active = new Level(settings);
  const transactions = new MetricWindow(settings);
  return {
    commits,
    polled(records, durationMs) {
      polls.add(records);
      batchSizes.record(records);
      pollTimes.record(durationMs);
    },
    written: (records) => writes.add(records),
    active: (change) => active.change(change),
    transaction: (records) => transactions.record(records),
    values: () => ({
      "source-record-poll-total": polls.total(),
      "source-record-poll-rate": polls.rate(),
      "source-record-write-total": writes.total(),
      "source-record-write-rate": writes.rate(),
      ...active.values("source-record-active-count"),
      "poll-batch-max-time-ms": pollTimes.max(),
      "poll-batch-avg-time-ms": pollTimes.average(),
      "batch-size-max": batchSizes.max(),
      "batch-size-avg": batchSizes.average(),
      ...(transactional && {
        "transaction-size-min": transactions.min(),
        "transaction-size-max": transactions.max(),
        "transaction-size-avg": transactions.average(),
      }),
      ...commits.values(),
    }),
  };
}
