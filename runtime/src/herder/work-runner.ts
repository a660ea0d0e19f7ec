import type { TargetState } from "@headrace/contract";
import type { ExecutorPool } from "../executor/pool.ts";
import type { Logger } from "../log.ts";
import type { Message } from "./messages.ts";
import type { ConnectorWork, StartPlan, Work } from "./work.ts";

/** Starts and stops items beside the loop; how it went comes back as messages. */
export interface WorkRunner {
  /** The item in its phase `starting`. */
  start(item: { readonly connector: string; readonly task: number | null }, plan: StartPlan): Work;
  /** Its phase is `stopping` from now on; it has ended after the graceful time-out at the latest, if need be with its process. */
  stop(work: Work, again: boolean): void;
  /** Pauses or resumes whatever of the connector runs here. */
  setTargetState(connector: string, parts: ConnectorWork, targetState: TargetState): void;
}

export interface WorkRunnerOptions {
  readonly pool: Pick<ExecutorPool, "startConnector" | "startTask" | "stopConnector" | "stopTask" | "setTargetState">;
  readonly isPredecessorDead: (connector: string, task: number) => boolean;
  readonly post: (message: Message) => void;
  readonly gracefulTimeoutMs: number;
  readonly log: Logger;
}

const TARGET_STATE_TIMEOUT_MS = 60_000;

/** Creates the runner. */
export function createWorkRunner(options: WorkRunnerOptions): WorkRunner {
  const { pool, post, gracefulTimeoutMs, log } = options;
  let lastRun = 0;

  const startCall = ({ connector, task, abort }: Work, plan: StartPlan): Promise<void> => {
    const { connectorConfig, targetState } = plan;
    if (task === null) return pool.startConnector({ connector, config: connectorConfig, targetState }, abort.signal);
    const taskConfig = plan.taskConfig ?? {};
    const evictPredecessor = options.isPredecessorDead(connector, task);
    const { taskGeneration, taskCount } = plan;
    const start = {
      key: { connector, task },
      connectorConfig,
      taskConfig,
      targetState,
      taskGeneration,
      taskCount,
      evictPredecessor,
    };
    return pool.startTask(start, abort.signal);
  };

  return {
    start({ connector, task }, plan) {
      lastRun += 1;
      const work: Work = {
        connector,
        task,
        run: lastRun,
        phase: "starting",
        taskGeneration: plan.taskGeneration,
        targetState: plan.targetState,
        stale: false,
        notBeforeMs: 0,
        told: null,
        abort: new AbortController(),
      };
      startCall(work, plan).then(
        () => post({ kind: "started", work }),
        (error: unknown) => post({ kind: "startFailed", work, error }),
      );
      return work;
    },

    stop(work, again) {
      const { connector, task } = work;
      const wasFailed = work.phase === "failed";
      if (work.phase === "starting" && task === null) work.abort.abort();
      work.phase = "stopping";
      const stopped =
        task === null
          ? pool.stopConnector(connector, gracefulTimeoutMs)
          : pool.stopTask({ connector, task }, gracefulTimeoutMs);
      void stopped.then((end) => {
        work.abort.abort();
        post({ kind: "stopped", work, end, wasFailed, again });
      });
    },

    setTargetState(connector, parts, targetState) {
      for (const part of [parts.instance, ...parts.tasks.values()]) if (part !== null) part.targetState = targetState;
      pool.setTargetState(connector, targetState, AbortSignal.timeout(TARGET_STATE_TIMEOUT_MS)).then(
        () => post({ kind: "targetStateReached", connector }),
        (error: unknown) => log.warn({ connector, targetState, error }, "setting the target state failed"),
      );
    },
  };
}
