import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { FIGURES, type Figure, formatFigure } from "./figure.ts";
import { machineText } from "./machine.ts";
import { toBarPlot } from "./plot.ts";
import { type Report, readReport } from "./report.ts";
import { type Comparison, compare } from "./result.ts";
import { toSimulationTable } from "./simulation/simulations.ts";
import { toTable, toTargetTable } from "./table.ts";

/**
 * `npm run bench-docs`: writes what .headrace/bench.json and scale.json have into docs/benchmarks.md and docs/scaling.md, between their
 * marks, and the plots beside them.
 */

/** A plot and the figure that it shows, of all scenarios that have it. */
const PLOTS = [
  { name: "throughput", title: "Records per second: longer is better", figure: "recordsPerSecond" },
  { name: "cpu", title: "CPU time per record: shorter is better", figure: "cpuMicrosPerRecord" },
  { name: "memory", title: "Peak memory of all processes under load: shorter is better", figure: "peakBytes" },
  { name: "failover", title: "kill -9 to first record, p95: shorter is better", figure: "killedP95Ms" },
] as const satisfies readonly { readonly name: string; readonly title: string; readonly figure: Figure }[];

const SERIES = ["headrace", "jvm", "jvm-tuned", "client"] as const;

/** Replaces what stands between `<!-- name -->` and `<!-- end -->`. Throws if the page has no such place. */
export function fillPlace(page: string, name: string, content: string): string {
  const place = new RegExp(`<!-- ${name} -->[\\s\\S]*?<!-- end -->`);
  if (!place.test(page)) throw new Error(`the page has no place called ${name}`);
  return page.replace(place, () => `<!-- ${name} -->\n${content}<!-- end -->`);
}

/** A figure of all scenarios that have it; null if there is none. */
export function plotFigure(title: string, figure: Figure, comparisons: readonly Comparison[]): string | null {
  const having = comparisons.filter((comparison) => comparison.figure === figure);
  const groups = [...Map.groupBy(having, ({ scenario }) => scenario)].map(([scenario, found]) => {
    const [first] = found;
    const ours = first === undefined ? [] : [{ series: SERIES[0], spread: first.ours }];
    const theirs = found.flatMap(({ peer, theirs: spread }) =>
      peer === null || spread === null ? [] : [{ series: peer, spread }],
    );
    const bars = [...ours, ...theirs].map(({ series, spread: { median } }) => {
      return { series, value: median, label: formatFigure(figure, median) };
    });
    return { title: scenario, bars };
  });
  return groups.length === 0 ? null : toBarPlot({ title, series: SERIES, groups });
}

/** What `make scale` has told, one row each; empty if it has not run. */
function operatorTable(file: string): string {
  if (!existsSync(file)) return "";
  const rows = z.array(z.array(z.string())).parse(JSON.parse(readFileSync(file, "utf8")));
  const lines = rows.map(([what = "", ...values]) => `| ${what} | ${values.join("; ")} |\n`);
  return `| operator | measured |\n|---|---|\n${lines.join("")}`;
}

function write({ machine, results, simulations }: Report): void {
  const comparisons = results.flatMap(compare);
  const pageFile = join(repoRoot, "docs/benchmarks.md");
  const folder = join(repoRoot, "docs/benchmarks");
  mkdirSync(folder, { recursive: true });
  const images = PLOTS.flatMap(({ name, title, figure }) => {
    const file = join(folder, `${name}.svg`);
    const plot = plotFigure(title, figure, comparisons);
    if (plot === null) rmSync(file, { force: true });
    else writeFileSync(file, plot);
    return plot === null ? [] : [`![${FIGURES[figure].title}](benchmarks/${name}.svg)\n`];
  });
  if (images.length === 0 && existsSync(folder)) rmSync(folder, { recursive: true });
  const runs = Math.max(0, ...results.map((result) => result.runs.filter(({ side }) => side === "headrace").length));
  const days = results.map(({ at }) => at.slice(0, 10)).toSorted();
  const measured =
    machine === null || days.length === 0
      ? "Nothing has been measured yet.\n"
      : `${machineText(machine)}.\n${days[0] === days.at(-1) ? days[0] : `${days[0]} to ${days.at(-1)}`}; medians of up to ${runs} runs of each side, in turn.\n`;
  let page = readFileSync(pageFile, "utf8");
  page = fillPlace(page, "machine", measured);
  page = fillPlace(page, "targets", toTargetTable(comparisons));
  page = fillPlace(page, "plots", images.join("\n"));
  page = fillPlace(page, "results", comparisons.length === 0 ? "" : toTable(comparisons));
  const operator = operatorTable(join(repoRoot, ".headrace/scale.json"));
  if (operator !== "") page = fillPlace(page, "operator", operator);
  writeFileSync(pageFile, page);

  const scalingFile = join(repoRoot, "docs/scaling.md");
  if (simulations.length > 0) {
    writeFileSync(
      scalingFile,
      fillPlace(readFileSync(scalingFile, "utf8"), "simulation", toSimulationTable(simulations)),
    );
  }
}

if (import.meta.main) write(readReport());
