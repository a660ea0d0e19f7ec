import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { fillPlace, plotFigure } from "../../bench/docs.ts";
import { toBarPlot } from "../../bench/plot.ts";
import { mergeReports, type Report } from "../../bench/report.ts";
import { compare } from "../../bench/result.ts";
import { SCENARIOS } from "../../bench/scenarios/all.ts";
import { toTargetTable } from "../../bench/table.ts";
import { TARGETS } from "../../bench/target.ts";

const result = (scenario: string, ours: number, theirs: number) => ({
  scenario,
  at: "2026-01-02T03:04:05.000Z",
  runs: [
    { side: "headrace" as const, measured: { recordsPerSecond: ours } },
    { side: "jvm" as const, measured: { recordsPerSecond: theirs } },
  ],
});
const machine = { cpus: 2, cpuModel: "a", memoryGib: 8, system: "Linux", node: "v24", java: "17", load: 0 };
const report = (results: Report["results"], load = 0): Report => ({
  machine: { ...machine, load },
  results,
  simulations: [],
});

describe("the pages of the benchmark", () => {
  it("have the places that figures are written into", () => {
    const page = (name: string) => readFileSync(join(repoRoot, "docs", name), "utf8");
    for (const name of ["machine", "targets", "operator", "plots", "results"]) {
      assert.match(fillPlace(page("benchmarks.md"), name, "figures\n"), /-->\nfigures\n<!-- end -->/);
    }
    assert.match(fillPlace(page("scaling.md"), "simulation", "figures\n"), /figures/);
    assert.throws(() => fillPlace("nothing", "targets", ""), /no place/);
  });

  it("show each target as a row, measured or not", () => {
    const table = toTargetTable(compare(result("file-source-100b", 500_000, 100_000)));
    assert.equal(table.trim().split("\n").length, TARGETS.length + 2);
    assert.match(table, /\| file source, 100 B \| records\/s \| jvm \| ≥ 5\.00× \| 500 k \| 100 k \| 5\.00 \| met \|/);
    assert.match(table, /\| file source, 1 KiB .* not measured \|/);
  });

  it("have a scenario for each target", () => {
    const names = new Set(SCENARIOS.map(({ name }) => name));
    assert.deepEqual(
      TARGETS.filter(({ scenario }) => !names.has(scenario)),
      [],
    );
    assert.equal(names.size, SCENARIOS.length, "names are unique");
    assert.equal(SCENARIOS.filter(({ quick }) => quick).length, 6);
  });

  it("draw a group of bars per scenario, on a scale of its own", () => {
    const comparisons = [...compare(result("one", 200, 100)), ...compare(result("two", 4, 8))];
    const plot = plotFigure("Records <per> second", "recordsPerSecond", comparisons) ?? "";
    assert.match(plot, /^<svg [^>]*viewBox="0 0 800 \d+"/);
    assert.match(plot, /Records &lt;per&gt; second/);
    const widths = [...plot.matchAll(/<rect x="210" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
    assert.deepEqual(widths, [480, 240, 240, 480]);
    assert.equal(plotFigure("nothing", "peakBytes", comparisons), null);
    assert.match(toBarPlot({ title: "zero", series: ["a"], groups: [{ title: "g", bars: [] }] }), /<\/svg>/);
  });
});

describe("a report", () => {
  it("keeps what was measured on the same machine and not anew", () => {
    const merged = mergeReports(report([result("a", 1, 1), result("b", 2, 1)]), report([result("b", 3, 1)], 0.5));
    assert.deepEqual(
      merged.results.map(({ scenario, runs }) => [scenario, runs[0]?.measured.recordsPerSecond]),
      [
        ["a", 1],
        ["b", 3],
      ],
    );
  });

  it("forgets what another machine has measured", () => {
    const old = { ...report([result("a", 1, 1)]), machine: { ...machine, cpus: 64 } };
    assert.deepEqual(
      mergeReports(old, report([result("b", 3, 1)])).results.map(({ scenario }) => scenario),
      ["b"],
    );
  });
});
