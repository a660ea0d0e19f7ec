/** How starts went since the worker began (contract §11: connect-worker-metrics). */
export interface StartCounts {
  succeeded: number;
  failed: number;
}

/** Counts of connector instances and of tasks. */
export interface StartCounters {
  readonly connectors: StartCounts;
  readonly tasks: StartCounts;
}

/** All zero. */
export function createStartCounters(): StartCounters {
  return { connectors: { succeeded: 0, failed: 0 }, tasks: { succeeded: 0, failed: 0 } };
}
