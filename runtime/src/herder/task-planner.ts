import type { StringMap } from "@headrace/contract";
import type { ExecutorPool } from "../executor/pool.ts";
import type { Logger } from "../log.ts";
import { pause } from "../pause.ts";
import type { Stages } from "../stages.ts";
import type { ClusterConfig } from "../store/stores.ts";
import { createGate } from "./lanes.ts";
import { needsCommit } from "./task-plan.ts";

/** Plans the tasks of the connectors that run here and has changed plans committed (contract §2.5). */
export interface TaskPlanner {
  /** Plans anew; a planning of the same connector that is still going on is given up. */
  plan(connector: string): void;
  cancel(connector: string): void;
  /** Gives everything up; resolves when nothing is under way. */
  stop(): Promise<void>;
}

export interface TaskPlannerOptions {
  readonly pool: Pick<ExecutorPool, "taskConfigs">;
  readonly config: () => ClusterConfig;
  /** Writes the plan, here or at the leader. */
  readonly commit: (connector: string, tasks: readonly StringMap[], signal: AbortSignal) => Promise<void>;
  readonly stages: Pick<Stages, "during">;
  readonly log: Logger;
}

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 60_000;
const PLAN_TIMEOUT_MS = 60_000;
/** Plans that are being committed at a time. */
const CONCURRENT_COMMITS = 16;

/** Creates a planner without work. */
export function createTaskPlanner(options: TaskPlannerOptions): TaskPlanner {
  const { pool, config, commit, stages, log } = options;
  const jobs = new Map<string, { readonly controller: AbortController; readonly done: Promise<void> }>();
  const gate = createGate(CONCURRENT_COMMITS);

  async function attempt(connector: string, signal: AbortSignal): Promise<void> {
    const entry = config().connectors.get(connector);
    if (entry === undefined || entry.targetState !== "STARTED") return;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(PLAN_TIMEOUT_MS)]);
    const planned = await stages.during(`generating task configs for connector ${connector}`, () =>
      pool.taskConfigs(connector, deadline),
    );
    if (!needsCommit(entry, planned)) return;
    await gate(() => commit(connector, planned, signal));
    log.info({ connector, tasks: planned.length }, "task configurations committed");
  }

  async function run(connector: string, signal: AbortSignal): Promise<void> {
    for (let delayMs = FIRST_DELAY_MS; !signal.aborted; delayMs = Math.min(delayMs * 2, MAX_DELAY_MS)) {
      try {
        return await attempt(connector, signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ connector, error, retryMs: delayMs }, "planning tasks failed");
        await pause(delayMs, signal);
      }
    }
  }

  const cancel = (connector: string) => {
    jobs.get(connector)?.controller.abort();
    jobs.delete(connector);
  };
  return {
    plan(connector) {
      cancel(connector);
      const controller = new AbortController();
      const done = run(connector, controller.signal).finally(() => {
        if (jobs.get(connector)?.controller === controller) jobs.delete(connector);
      });
      jobs.set(connector, { controller, done });
    },
    cancel,
    async stop() {
      const running = [...jobs.values()];
      for (const { controller } of running) controller.abort();
      await Promise.all(running.map(({ done }) => done));
    },
  };
}
