/** What scenarios measure: how each figure is called and shown, and which way is better. */
export const FIGURES = {
  recordsPerSecond: { title: "records/s", unit: "rate", better: "more" },
  cpuMicrosPerRecord: { title: "CPU per record", unit: "micros", better: "less" },
  peakBytes: { title: "memory, peak", unit: "bytes", better: "less" },
  idleBytes: { title: "memory, idle", unit: "bytes", better: "less" },
  bytesPerConnector: { title: "memory per idle connector", unit: "bytes", better: "less" },
  growthBytes: { title: "memory, growth", unit: "bytes", better: "less" },
  encodedBytes: { title: "bytes of a record", unit: "length", better: "less" },
  encodeMicros: { title: "CPU per record written", unit: "micros", better: "less" },
  decodeMicros: { title: "CPU per record read", unit: "micros", better: "less" },
  slopeBytes: { title: "memory, slope per hour", unit: "bytes", better: "less" },
  readyMs: { title: "start to REST ready", unit: "ms", better: "less" },
  firstRecordMs: { title: "start to first record", unit: "ms", better: "less" },
  latencyP50Ms: { title: "latency, p50", unit: "ms", better: "less" },
  latencyP99Ms: { title: "latency, p99", unit: "ms", better: "less" },
  killedP50Ms: { title: "kill -9 to first record, p50", unit: "ms", better: "less" },
  killedP95Ms: { title: "kill -9 to first record, p95", unit: "ms", better: "less" },
  drainedP50Ms: { title: "SIGTERM, task's pause, p50", unit: "ms", better: "less" },
  drainedP95Ms: { title: "SIGTERM, task's pause, p95", unit: "ms", better: "less" },
  deletedP50Ms: { title: "pod deleted, task's pause, p50", unit: "ms", better: "less" },
  deletedP95Ms: { title: "pod deleted, task's pause, p95", unit: "ms", better: "less" },
  rolledP50Ms: { title: "rolling update, task's pause, p50", unit: "ms", better: "less" },
  rolledP95Ms: { title: "rolling update, task's pause, p95", unit: "ms", better: "less" },
  balancedMs: { title: "new worker to even load", unit: "ms", better: "less" },
  allRunningMs: { title: "all created to all RUNNING", unit: "ms", better: "less" },
  snapshotMs: { title: "REST snapshot, median", unit: "ms", better: "less" },
  failureShownMs: { title: "failed record to FAILED in REST", unit: "ms", better: "less" },
} as const satisfies Record<string, FigureKind>;

/** Name of a figure. */
export type Figure = keyof typeof FIGURES;

interface FigureKind {
  readonly title: string;
  readonly unit: "rate" | "micros" | "bytes" | "length" | "ms";
  readonly better: "more" | "less";
}

/** A figure's value with its unit, as people read it. */
export function formatFigure(figure: Figure, value: number): string {
  const { unit } = FIGURES[figure];
  switch (unit) {
    case "rate":
      return value >= 10_000 ? `${(value / 1000).toFixed(0)} k` : value.toFixed(0);
    case "micros":
      return `${value.toFixed(2)} µs`;
    case "bytes":
      return `${(value / 2 ** 20).toFixed(Math.abs(value) < 10 * 2 ** 20 ? 2 : 0)} MiB`;
    case "length":
      return `${value.toFixed(0)} B`;
    case "ms":
      return value < 1000 ? `${value.toFixed(value < 10 ? 1 : 0)} ms` : `${(value / 1000).toFixed(2)} s`;
    default:
      throw new Error(`unreachable: ${unit satisfies never}`);
  }
}
