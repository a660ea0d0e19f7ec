import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { compileWorker } from "../../bench/compiled.ts";
import { type End, withEnds } from "../../bench/end.ts";
import { openBench } from "../../bench/open-bench.ts";
import { compare, type Result } from "../../bench/result.ts";
import type { Scenario, TestBed } from "../../bench/scenario.ts";
import { fileSink } from "../../bench/scenarios/file-sink.ts";
import { fileSource } from "../../bench/scenarios/file-source.ts";

const SIDES = ["headrace", "jvm"] as const;
/** Half of the benchmark's own targets, or less: runs are short, and the machine may be busy. */
const SOURCE = { rate: 2.5, cpu: 0.4 } as const;
const SINK = { rate: 1.2, cpu: 0.5 } as const;
/** A ratio that a busy moment has spoilt is looked at again. */
const TRIES = 3;

/** Guards the benchmark's ratios against regressions; `make bench` measures them. */
describe("beside the JVM worker", { timeout: 600_000 }, () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-ratios-"));
  let bench: TestBed;
  let close: () => Promise<void>;

  before(async () => {
    await compileWorker();
    ({ bench, close } = await openBench({ dir, scale: 1, full: false }));
  });
  after(async () => {
    await close?.();
    rmSync(dir, { recursive: true, force: true });
  });

  for (const { scenario, limits } of [
    {
      scenario: fileSource({ name: "source", count: 600_000, bytes: 100, quick: true, sides: SIDES }),
      limits: SOURCE,
    },
    { scenario: fileSink({ name: "sink", count: 600_000, bytes: 100, quick: true }), limits: SINK },
  ]) {
    it(`the file ${scenario.name} moves ${limits.rate} times as many records, for ${limits.cpu} of the CPU time each`, async (t) => {
      const ends: End[] = [];
      await withEnds(ends, async () => {
        const run = await scenario.prepare({ ...bench, defer: (end) => void ends.push(end) });
        const runs: Result["runs"] = [];
        for (let turn = 1; ; turn += 1) {
          for (const side of SIDES) runs.push({ side, measured: await run(side) });
          const { rate, cpu } = bestRatios(scenario, runs);
          t.diagnostic(
            `table | file ${scenario.name}, 100 B | ${rate.toFixed(1)} × the records, ${cpu.toFixed(2)} × the CPU time`,
          );
          if (rate >= limits.rate && cpu <= limits.cpu) break;
          assert.ok(turn < TRIES, `${rate} times the records per second, ${cpu} of the CPU time per record`);
        }
      });
    });
  }
});

/** Each side's best run: what else the machine does only ever makes it slower. */
function bestRatios({ name }: Scenario, runs: Result["runs"]): { readonly rate: number; readonly cpu: number } {
  const comparisons = compare({ scenario: name, runs });
  const of = (figure: "recordsPerSecond" | "cpuMicrosPerRecord") => {
    const found = comparisons.find((comparison) => comparison.figure === figure);
    assert.ok(found?.theirs, `${figure} of both`);
    return found.figure === "recordsPerSecond" ? found.ours.max / found.theirs.max : found.ours.min / found.theirs.min;
  };
  return { rate: of("recordsPerSecond"), cpu: of("cpuMicrosPerRecord") };
}
