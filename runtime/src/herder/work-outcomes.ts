import { ConnectError } from "../errors.ts";
import type { ExecutorLost } from "../executor/pool.ts";
import type { Logger } from "../log.ts";
import type { CrashHistory } from "./crash-history.ts";
import type { Message, StatusNotice } from "./messages.ts";
import type { Predecessors } from "./predecessors.ts";
import type { Restarts } from "./restarts.ts";
import type { StartCounters, StartCounts } from "./start-counters.ts";
import type { Report, StatusWriter } from "./status-writer.ts";
import type { StopWaiters } from "./stop-waiters.ts";
import type { TaskPlanner } from "./task-planner.ts";
import { itemKey, type Work } from "./work.ts";
import type { WorkTable } from "./work-table.ts";

/** What the outcomes are folded into, and who has to hear of them. */
export interface WorkOutcomesOptions {
  readonly table: WorkTable;
  readonly statuses: StatusWriter;
  readonly planner: Pick<TaskPlanner, "cancel">;
  readonly starts: StartCounters;
  readonly crashes: CrashHistory;
  readonly predecessors: Predecessors;
  readonly restarts: Restarts;
  readonly stops: StopWaiters;
  /** Configured and meant to run, on whichever worker. */
  readonly isConfigured: (work: Work) => boolean;
  readonly isOurs: (work: Work) => boolean;
  /** It has ended, and is not started again at once. */
  readonly ended: (item: { readonly connector: string; readonly task: number | null }) => void;
  /** Something may have to be started or stopped because of it. */
  readonly touch: (connector: string) => void;
  readonly post: (message: Message) => void;
  readonly now: () => number;
  readonly log: Logger;
}

/** What became of items that were started or stopped: their phases and statuses (contract §7.0). */
export class WorkOutcomes {
  readonly #options: WorkOutcomesOptions;

  constructor(options: WorkOutcomesOptions) {
    this.#options = options;
  }

  /** True if it runs now, and not something that was stopped meanwhile. */
  started(work: Work): boolean {
    // What was started can have failed before its start is told.
    if (work.phase === "failed") this.#options.restarts.started(work);
    if (work.phase !== "starting") return false;
    work.phase = "running";
    this.#startCounts(work).succeeded += 1;
    this.#options.restarts.started(work);
    this.#options.touch(work.connector);
    return true;
  }

  startFailed(work: Work, error: unknown): void {
    // A dead executor is news of its own, with everything that ran in it.
    if (error instanceof ConnectError && error.code === "executor-gone") return;
    if (work.phase !== "starting" && work.phase !== "failed") return;
    this.#startCounts(work).failed += 1;
    this.#options.restarts.failed(work, error);
    // A connector tells that it failed before its start is refused.
    if (work.phase === "failed") return;
    work.phase = "failed";
    this.#options.log.error({ connector: work.connector, task: work.task, error }, "start failed");
    this.#report(work, { state: "FAILED", trace: traceOf(error) });
  }

  #report(work: Work, { state, trace = null, version = null }: Report): void {
    work.told = { state, trace, version };
    this.#options.statuses.report(work, work.told);
  }

  #startCounts(work: Work): StartCounts {
    return work.task === null ? this.#options.starts.connectors : this.#options.starts.tasks;
  }

  stopped(message: Extract<Message, { kind: "stopped" }>): void {
    const { work } = message;
    const { table, predecessors, restarts, statuses, stops, touch, isOurs } = this.#options;
    table.remove(work);
    touch(work.connector);
    if (message.end === "killed") predecessors.died(itemKey(work));
    else predecessors.stopped(itemKey(work));
    // What was deleted has no status any more, or will have none by the leader's tombstone.
    const isConfigured = this.#options.isConfigured(work);
    if (!isConfigured) this.#forget(work);
    const again = message.again && isConfigured && isOurs(work);
    if (!again) {
      restarts.givenUp(work);
      this.#options.ended(work);
    }
    // A task that had to be killed has left its consumer group behind: whoever starts it next learns that from the status it had.
    const isCutOff = work.task !== null && message.end === "killed";
    if (!again && isConfigured && !message.wasFailed && !isCutOff) statuses.report(work, { state: "UNASSIGNED" });
    stops.stopped(work);
  }

  /** Names come and go: what is remembered by them must not outlive them. */
  #forget(work: Work): void {
    this.#options.predecessors.forget(itemKey(work));
    this.#options.crashes.forget(itemKey(work));
  }

  /** What an executor says of an item; nothing that it says of one that is being stopped counts. */
  told(notice: StatusNotice): void {
    const work = this.#options.table.find(notice.connector, notice.task);
    if (work === null || work.phase === "stopping" || work.phase === "waiting") return;
    if (notice.state !== "FAILED" && notice.state !== "RUNNING" && notice.state !== "PAUSED") return;
    this.#report(work, notice);
    if (notice.state !== "FAILED") return;
    work.phase = "failed";
    if (work.task === null) this.#options.planner.cancel(work.connector);
    const { connector, task, trace } = notice;
    this.#options.log.error({ connector, task, trace }, "failed");
  }

  executorLost(lost: ExecutorLost): void {
    const items = [
      ...lost.connectors.map((connector) => ({ connector, task: null })),
      ...lost.tasks.map(({ connector, task }) => ({ connector, task })),
    ];
    for (const { connector, task } of items) {
      const work = this.#options.table.find(connector, task);
      if (work?.phase === "starting" || work?.phase === "running") this.#crashed(work, lost);
    }
  }

  #crashed(work: Work, lost: ExecutorLost): void {
    const { now, planner, predecessors, crashes, restarts, touch, post } = this.#options;
    if (work.task === null) planner.cancel(work.connector);
    predecessors.died(itemKey(work));
    const after = crashes.record(itemKey(work), { atMs: now(), alone: lost.alone });
    if (after.kind === "giveUp") {
      work.phase = "failed";
      const trace = `Its executor died ${after.crashes} times in a row, the last time: ${lost.reason}`;
      this.#report(work, { state: "FAILED", trace });
      restarts.failed(work, new ConnectError("executor-gone", trace));
      return;
    }
    work.phase = "waiting";
    work.notBeforeMs = now() + after.delayMs;
    this.#report(work, { state: "RESTARTING", trace: `Its executor died and it is started again: ${lost.reason}` });
    touch(work.connector);
    if (after.delayMs > 0) {
      setTimeout(() => post({ kind: "due", connector: work.connector }), after.delayMs).unref();
    }
  }
}

function traceOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
