import type { PluginMetrics } from "../metrics.ts";
import type { Logger } from "../source.ts";

/** A log that keeps its lines, as `level message {fields}`. */
export interface LogRecorder extends Logger {
  readonly lines: readonly string[];
}

/** Creates a log that keeps what is written. */
export function createLogRecorder(): LogRecorder {
  const lines: string[] = [];
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields, toText)}`);
  return { lines, error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") };
}

function toText(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Error ? value.message : value;
}

/** Metrics of a task, to be read by name. */
export interface MetricRecorder extends PluginMetrics {
  /** NaN if there is no such metric. */
  value(name: string): number;
}

/** Creates metrics that can be read. As the worker's, they refuse a second registration of a name. */
export function createMetricRecorder(): MetricRecorder {
  const values = new Map<string, () => number>();
  const register = (name: string, read: () => number) => {
    if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) throw new Error(`A metric cannot be named ${name}`);
    if (values.has(name)) throw new Error(`The metric ${name} was registered twice`);
    values.set(name, read);
  };
  return {
    counter(name) {
      let total = 0;
      register(name, () => total);
      return {
        add(count = 1) {
          total += count;
        },
      };
    },
    gauge: (name, _, read) => register(name, read),
    value: (name) => values.get(name)?.() ?? Number.NaN,
  };
}
