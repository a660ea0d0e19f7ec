import type { PluginMetrics } from "./metrics.ts";

/** How far a task is behind the system that it reads or writes; what it cannot tell is left out. Called about once a second. */
export interface Lag {
  /** Records that wait, or an estimate. */
  readonly records?: () => number;
  /** Age of what was moved last, in milliseconds. */
  readonly milliseconds?: () => number;
  /** Bytes that wait, for instance of a write-ahead log. */
  readonly bytes?: () => number;
}

/**
 * Serves the lag of a task under names that all connectors share: `kafka_connect_plugins_lag_records`, `…_lag_milliseconds` and
 * `…_lag_bytes`. Once per task.
 */
export function reportLag(metrics: PluginMetrics, lag: Lag): void {
  if (lag.records !== undefined) metrics.gauge("lag-records", "Records that wait in the external system.", lag.records);
  if (lag.milliseconds !== undefined) {
    metrics.gauge("lag-milliseconds", "Age of what was moved last, milliseconds.", lag.milliseconds);
  }
  if (lag.bytes !== undefined) metrics.gauge("lag-bytes", "Bytes that wait in the external system.", lag.bytes);
}
