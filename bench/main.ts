import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exitOnSignals } from "#dev/process.ts";
import { step } from "#dev/progress.ts";
import { compileWorker } from "./compiled.ts";
import { type End, toText, withEnds } from "./end.ts";
import { describeMachine, machineText } from "./machine.ts";
import { openBench } from "./open-bench.ts";
import { mergeReports, REPORT_FILE, readReport, writeReport } from "./report.ts";
import { compare, type Result } from "./result.ts";
import type { Scenario, TestBed } from "./scenario.ts";
import { SCENARIOS } from "./scenarios/all.ts";
import { simulate, toSimulationTable } from "./simulation/simulations.ts";
import { toTable } from "./table.ts";

/**
 * `make bench`: the same work on Headrace's worker and on Apache Kafka Connect's, in turn, on one Kafka. Prints a table of medians and
 * ratios and writes them to .headrace/bench.json, scenario by scenario. A scenario in which a side does not do its work, or writes other
 * records than it should, has no figures, and the exit code is 1.
 */
const HELP = `usage: make bench [FULL=1] [RUNS=n] [SCALE=share] [FILTER=words]
  FULL=1       all scenarios, not only the quick ones
  RUNS=n       runs of each side, 3 by default
  SCALE=share  of the records, 1 by default; less is a trial, which is not kept
  FILTER       only scenarios whose name contains one of the words`;

/** Of the simulations together. */
const SIMULATION = "simulation";

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      full: { type: "boolean", default: false },
      runs: { type: "string", default: "3" },
      scale: { type: "string", default: "1" },
      help: { type: "boolean", short: "h" },
    },
  });
  const [runs, scale] = [Number(values.runs), Number(values.scale)];
  if (values.help === true || !(runs >= 1) || !(scale > 0 && scale <= 1)) {
    console.log(HELP);
    return values.help === true ? 0 : 1;
  }
  const isWanted = (name: string, quick: boolean) =>
    positionals.length === 0 ? values.full || quick : positionals.some((word) => name.includes(word));
  const wanted = SCENARIOS.filter(({ name, quick }) => isWanted(name, quick));
  const simulations = isWanted(SIMULATION, true) ? simulate() : [];
  if (simulations.length > 0) console.log(toSimulationTable(simulations));
  if (wanted.length === 0 && simulations.length === 0) {
    console.error(`no scenario matches: there are ${[SIMULATION, ...SCENARIOS.map(({ name }) => name)].join(", ")}`);
    return 1;
  }
  const machine = describeMachine(loadavg()[0] ?? 0);
  const results: Result[] = [];
  const failures: string[] = [];
  const keep = () => {
    if (scale === 1) writeReport(mergeReports(readReport(), { machine, results, simulations }));
  };
  keep();
  if (wanted.length > 0) {
    await withBench({ scale, full: values.full }, async (bench) => {
      for (const scenario of wanted) {
        try {
          results.push(await measure(scenario, bench, runs));
          keep();
        } catch (error) {
          // The others are worth their time all the same; it is told again at the end.
          failures.push(`${scenario.name}: ${toText(error)}`);
          console.error(`✗ ${failures.at(-1)}`);
        }
      }
    });
  }
  console.log(`\n${machineText(machine)}\n\n${toTable(results.flatMap(compare))}`);
  console.log(scale === 1 ? `written to ${REPORT_FILE}` : "a trial: the figures mean nothing and are not kept");
  for (const failure of failures) console.error(`✗ ${failure}`);
  return failures.length === 0 ? 0 : 1;
}

async function withBench(
  options: Pick<TestBed, "scale" | "full">,
  work: (bench: TestBed) => Promise<void>,
): Promise<void> {
  await step("compile the worker", compileWorker);
  const dir = mkdtempSync(join(tmpdir(), "headrace-bench-"));
  const ends: End[] = [() => rmSync(dir, { recursive: true, force: true })];
  await withEnds(ends, async () => {
    const { bench, close } = await openBench({ dir, ...options });
    ends.push(close);
    await work(bench);
  });
}

async function measure(scenario: Scenario, bench: TestBed, wantedRuns: number): Promise<Result> {
  const runs = Math.min(wantedRuns, scenario.maxRuns ?? wantedRuns);
  // What a scenario writes goes when it is over: all of them together would fill a disk.
  const dir = mkdtempSync(join(bench.dir, `${scenario.name}-`));
  const deferred: End[] = [() => bench.topics.deleteAll(), () => rmSync(dir, { recursive: true, force: true })];
  const own = { ...bench, dir, defer: (end: End) => void deferred.push(end) };
  const done: Result["runs"] = [];
  await withEnds(deferred, async () => {
    const run = await step(`${scenario.name}: prepare`, () => scenario.prepare(own));
    for (let round = 1; round <= runs; round += 1) {
      for (const side of scenario.sides) {
        const title = `${scenario.name}: ${side}, run ${round} of ${runs}`;
        done.push({ side, measured: await step(title, () => run(side)) });
      }
    }
  });
  const result = { scenario: scenario.name, at: new Date().toISOString(), runs: done };
  console.log(toTable(compare(result)));
  return result;
}

exitOnSignals();
process.exitCode = await main();
