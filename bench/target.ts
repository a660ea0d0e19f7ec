import { type Figure, formatFigure } from "./figure.ts";
import type { Comparison } from "./result.ts";

/** What a figure has to be: a ratio to a peer's, a value of its own, or both. */
export interface Target {
  /** The kind of work, as a person calls it. */
  readonly work: string;
  readonly scenario: string;
  readonly figure: Figure;
  readonly peer: Comparison["peer"];
  /** Bound of ours divided by theirs: from below where more is better. */
  readonly ratio?: number;
  /** Bound of ours. */
  readonly value?: number;
}

const sourceTargets = (scenario: string, work: string, tuned: number): readonly Target[] => [
  { work, scenario, figure: "recordsPerSecond", peer: "jvm", ratio: 5 },
  { work, scenario, figure: "cpuMicrosPerRecord", peer: "jvm", ratio: 1 / 5 },
  { work, scenario, figure: "peakBytes", peer: "jvm", ratio: 1 / 5 },
  { work, scenario, figure: "recordsPerSecond", peer: "jvm-tuned", ratio: tuned },
  { work, scenario, figure: "cpuMicrosPerRecord", peer: "jvm-tuned", ratio: 0.5 },
  { work, scenario, figure: "peakBytes", peer: "jvm-tuned", ratio: 1 / 5 },
];

const sinkTargets = (scenario: string, work: string, rate: number): readonly Target[] => [
  { work, scenario, figure: "recordsPerSecond", peer: "jvm", ratio: rate },
  { work, scenario, figure: "peakBytes", peer: "jvm", ratio: 1 / 2 },
];

const faster = (scenario: string, work: string): Target => ({
  work,
  scenario,
  figure: "recordsPerSecond",
  peer: "jvm",
  ratio: 1.5,
});

/** All targets, in the order of docs/benchmarks.md. Those of the operator are measured by `make scale`. */
export const TARGETS: readonly Target[] = [
  ...sourceTargets("file-source-100b", "file source, 100 B", 1.8),
  ...sourceTargets("file-source-1kib", "file source, 1 KiB", 1.3),
  ...sinkTargets("file-sink-100b", "file sink, 100 B", 3),
  ...sinkTargets("file-sink-1kib", "file sink, 1 KiB", 1.3),
  faster("json-schemas-source", "JSON with schemas, source"),
  faster("json-schemas-sink", "JSON with schemas, sink"),
  faster("three-transforms", "three transforms"),
  { work: "worker, idle", scenario: "start", figure: "idleBytes", peer: "jvm", ratio: 1 / 3 },
  { work: "worker, start", scenario: "start", figure: "readyMs", peer: "jvm", ratio: 1 / 5 },
  { work: "worker killed", scenario: "failover", figure: "killedP95Ms", peer: "jvm", ratio: 1 / 5, value: 2_000 },
  { work: "worker drained", scenario: "failover", figure: "drainedP95Ms", peer: "jvm", value: 2_000 },
  { work: "pod deleted", scenario: "failover", figure: "deletedP95Ms", peer: "jvm", value: 2_000 },
  { work: "rolling update", scenario: "rolling-update", figure: "rolledP95Ms", peer: "jvm", value: 2_000 },
  { work: "200 connectors at once", scenario: "create-200", figure: "allRunningMs", peer: "jvm", value: 15_000 },
  { work: "1,000 connectors at once", scenario: "create-1000", figure: "allRunningMs", peer: null, value: 60_000 },
  { work: "1,000 connectors, REST", scenario: "create-1000", figure: "snapshotMs", peer: null, value: 200 },
  {
    work: "500 idle connectors",
    scenario: "create-500",
    figure: "bytesPerConnector",
    peer: null,
    value: 3 * 2 ** 20,
  },
  { work: "failed task", scenario: "status-latency", figure: "failureShownMs", peer: "jvm", value: 1_000 },
];

/** The target of a comparison; undefined if there is none. */
export function targetOf({ scenario, figure, peer }: Comparison): Target | undefined {
  return TARGETS.find(
    (target) =>
      target.scenario === scenario && target.figure === figure && (target.peer === peer || target.peer === null),
  );
}

/** Whether a comparison meets its target: within each bound that is given, on it included. */
export function meets({ ours, ratio }: Comparison, target: Target): boolean {
  const { figure } = target;
  const within = (measured: number, bound: number) =>
    figure === "recordsPerSecond" ? measured >= bound : measured <= bound;
  if (target.value !== undefined && !within(ours.median, target.value)) return false;
  return target.ratio === undefined || (ratio !== null && within(ratio, target.ratio));
}

/** A target's bounds in words: `≥ 5.00×`, `≤ 2.00 s, ≤ 0.20×`. */
export function goalOf({ figure, ratio, value }: Target): string {
  const sign = figure === "recordsPerSecond" ? "≥" : "≤";
  return [
    ...(value === undefined ? [] : [`${sign} ${formatFigure(figure, value)}`]),
    ...(ratio === undefined ? [] : [`${sign} ${ratio.toFixed(2)}×`]),
  ].join(", ");
}
