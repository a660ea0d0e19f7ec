import type { Comparison } from "./result.ts";

/** What a ratio to a peer has to be. */
export interface Target {
  readonly bound: "at least" | "at most";
  readonly ratio: number;
}

const atLeast = (ratio: number): Target => ({ bound: "at least", ratio });
const atMost = (ratio: number): Target => ({ bound: "at most", ratio });

/** The targets of docs/benchmarks.md, as `scenario figure peer`. */
const TARGETS: Readonly<Record<string, Target>> = {
  "start elapsedMs jvm": atMost(0.2),
  "start peakBytes jvm": atMost(1 / 3),
  "file-source-100b recordsPerSecond jvm": atLeast(5),
  "file-source-100b cpuMicrosPerRecord jvm": atMost(0.2),
  "file-source-100b peakBytes jvm": atMost(0.2),
  "file-source-100b recordsPerSecond jvm-tuned": atLeast(1.8),
  "file-source-100b cpuMicrosPerRecord jvm-tuned": atMost(0.5),
  "file-source-100b peakBytes jvm-tuned": atMost(0.2),
  "file-source-1kib recordsPerSecond jvm": atLeast(5),
  "file-source-1kib cpuMicrosPerRecord jvm": atMost(0.2),
  "file-source-1kib recordsPerSecond jvm-tuned": atLeast(1.3),
  "file-source-1kib cpuMicrosPerRecord jvm-tuned": atMost(0.5),
  "file-sink-100b recordsPerSecond jvm": atLeast(3),
  "file-sink-100b peakBytes jvm": atMost(0.5),
  "file-sink-1kib recordsPerSecond jvm": atLeast(1.3),
  "file-sink-1kib peakBytes jvm": atMost(0.5),
  "json-with-schemas recordsPerSecond jvm": atLeast(1.5),
  "three-transforms recordsPerSecond jvm": atLeast(1.5),
};

/** The target of a comparison; undefined if there is none. */
export function targetOf({ scenario, figure, peer }: Comparison): Target | undefined {
  return TARGETS[`${scenario} ${figure} ${peer}`];
}

/** Whether a comparison meets its target. */
export function meets({ ratio }: Comparison, target: Target): boolean {
  return target.bound === "at least" ? ratio >= target.ratio : ratio <= target.ratio;
}
