import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { Machine } from "./machine.ts";
import { Result } from "./result.ts";
import { Simulation } from "./simulation/simulation.ts";

/** What `make bench` has measured, as .headrace/bench.json keeps it. */
export const Report = z.object({
  machine: Machine.nullable(),
  results: z.array(Result).readonly(),
  simulations: z.array(Simulation).readonly(),
});
export type Report = z.output<typeof Report>;

export const REPORT_FILE = join(repoRoot, ".headrace/bench.json");

/** The last report; an empty one if there is none. Throws if the file is something else. */
export function readReport(file: string = REPORT_FILE): Report {
  if (!existsSync(file)) return { machine: null, results: [], simulations: [] };
  return Report.parse(JSON.parse(readFileSync(file, "utf8")));
}

/** Replaces the file. */
export function writeReport(report: Report, file: string = REPORT_FILE): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
}

/** New results replace those of the same scenarios; the rest stays, if it is from the same machine. */
export function mergeReports(old: Report, fresh: Report): Report {
  const same = old.machine !== null && fresh.machine !== null && { ...old.machine, load: 0 };
  const kept = same && JSON.stringify(same) === JSON.stringify({ ...fresh.machine, load: 0 });
  const renewed = new Set(fresh.results.map(({ scenario }) => scenario));
  return {
    machine: fresh.machine,
    results: [...(kept ? old.results.filter(({ scenario }) => !renewed.has(scenario)) : []), ...fresh.results],
    simulations: fresh.simulations.length > 0 ? fresh.simulations : old.simulations,
  };
}
