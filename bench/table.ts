import type { Comparison } from "./result.ts";
import type { Measurement } from "./scenario.ts";
import type { Spread } from "./statistics.ts";
import { meets, targetOf } from "./target.ts";

const FIGURE: Readonly<
  Record<keyof Measurement, { readonly title: string; readonly format: (value: number) => string }>
> = {
  recordsPerSecond: { title: "records/s", format: (value) => `${(value / 1000).toFixed(0)} k` },
  cpuMicrosPerRecord: { title: "CPU per record", format: (value) => `${value.toFixed(2)} µs` },
  peakBytes: { title: "memory, peak", format: (value) => `${(value / 2 ** 20).toFixed(0)} MiB` },
  elapsedMs: { title: "time", format: (value) => `${(value / 1000).toFixed(2)} s` },
};

/** The comparisons as a Markdown table: medians with the least and greatest, the ratio, and the target with its verdict. */
export function toTable(comparisons: readonly Comparison[]): string {
  const head = "| scenario | figure | Headrace | peer | | ratio | target | |\n|---|---|---|---|---|---|---|---|\n";
  return head + comparisons.map(toRow).join("");
}

function toRow(comparison: Comparison): string {
  const { scenario, figure, peer, ours, theirs, ratio } = comparison;
  const { title, format } = FIGURE[figure];
  const spread = ({ median, min, max }: Spread) => `${format(median)} (${format(min)}–${format(max)})`;
  const target = targetOf(comparison);
  const goal = target === undefined ? "" : `${target.bound === "at least" ? "≥" : "≤"} ${target.ratio.toFixed(2)}`;
  const verdict = target === undefined ? "" : meets(comparison, target) ? "met" : "missed";
  const cells = [scenario, title, spread(ours), spread(theirs), peer, ratio.toFixed(2), goal, verdict];
  return `| ${cells.join(" | ")} |\n`;
}
