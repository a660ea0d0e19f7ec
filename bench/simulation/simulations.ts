import { SimulatedGroup } from "./simulated-group.ts";
import type { Simulation } from "./simulation.ts";

const WORKERS = 100;
const TASKS = 10_000;

/** What happens to a group, one event after the other; `workers` and `tasks` are its size. */
export function simulateGroup(workers: number, tasks: number): readonly Simulation[] {
  const group = new SimulatedGroup();
  group.join(workers);
  group.configure(tasks);
  const done = [group.settle("all workers start")];

  group.leave(group.first());
  done.push(group.settle("one worker dies"));

  group.join(1);
  done.push(group.settle("one worker joins"));

  const drained = group.first();
  group.drain(drained);
  done.push(group.settle("one worker drains"));
  group.leave(drained);
  group.join(1);
  done.push(group.settle("its successor joins"));

  group.configure(tasks + tasks / 10);
  done.push(group.settle("a tenth more connectors"));
  return done;
}

/** A group of 10 and one of 100 workers, each with 100 tasks per worker: the difference is what size costs. */
export function simulate(): readonly Simulation[] {
  return [...simulateGroup(WORKERS / 10, TASKS / 10), ...simulateGroup(WORKERS, TASKS)];
}

/** As a Markdown table. */
export function toSimulationTable(simulations: readonly Simulation[]): string {
  const head =
    "| event | workers | tasks | rounds | starts | moves | members → leader | leader → members | leader's time | a herder's |\n" +
    "|---|---|---|---|---|---|---|---|---|---|\n";
  return head + simulations.map(toRow).join("");
}

function toRow(simulation: Simulation): string {
  const { event, workers, tasks, rounds, starts, moves, metadataBytes, assignmentBytes, leaderMs, herderMs } =
    simulation;
  const size = (bytes: number) => `${(bytes / 1024).toFixed(0)} KiB`;
  const counts = [workers, tasks, rounds, starts, moves].map((count) => count.toLocaleString("en"));
  const costs = [size(metadataBytes), size(assignmentBytes), `${leaderMs.toFixed(0)} ms`, `${herderMs.toFixed(2)} ms`];
  return `| ${[event, ...counts, ...costs].join(" | ")} |\n`;
}
