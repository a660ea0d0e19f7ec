/** A number that only grows. */
export interface PluginCounter {
  /** Not given: 1. */
  add(count?: number): void;
}

/**
 * Metrics of a task's own, served by the worker as `kafka_connect_plugins_<name>{connector, task}` for as long as the task is there
 * (what KIP-877 is for Java's tasks). Names are lower-case words with dashes, once per task; anything else throws.
 */
export interface PluginMetrics {
  counter(name: string, help: string): PluginCounter;
  /** `read` is called about once a second and must be cheap. */
  gauge(name: string, help: string, read: () => number): void;
}
