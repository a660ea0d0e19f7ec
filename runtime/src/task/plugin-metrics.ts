import type { PluginMetrics } from "@headrace/sdk";

/** A metric of a task's own, with its present value. */
export interface PluginMetricValue {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly value: number;
}

interface Entry {
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly read: () => number;
}

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** What one task registers, and its values. A gauge that throws reads as NaN. */
export function createPluginMetrics(): {
  readonly metrics: PluginMetrics;
  readonly values: () => readonly PluginMetricValue[];
} {
  const entries = new Map<string, Entry>();
  function register(name: string, entry: Entry): void {
    if (!NAME.test(name))
      throw new Error(`A metric cannot be named ${name}: use lower-case words with dashes between them`);
    if (entries.has(name)) throw new Error(`The metric ${name} was registered twice`);
    entries.set(name, entry);
  }
  return {
    metrics: {
      counter(name, help) {
        let total = 0;
        register(name, { help, type: "counter", read: () => total });
        return {
          add(count = 1) {
            if (count > 0) total += count;
          },
        };
      },
      gauge: (name, help, read) => register(name, { help, type: "gauge", read }),
    },
    values: () => [...entries].map(([name, { help, type, read }]) => ({ name, help, type, value: readQuietly(read) })),
  };
}

function readQuietly(read: () => number): number {
  try {
    return read();
  } catch {
    return Number.NaN; // Served as such; a metric must not end its task.
  }
}
