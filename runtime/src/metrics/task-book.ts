import type { ExecutorNotice, TaskMetrics } from "../executor/channel.ts";

/** What this worker knows of its tasks for their metrics: the counters that executors sent, and how long each was in which state. */
export interface TaskBook {
  hear(notice: Extract<ExecutorNotice, { kind: "metrics" | "status" }>): void;
  /** The task has left this worker. */
  delete(id: string): void;
  get(connector: string, task: number): TaskMetrics | null;
  ratios(connector: string, task: number): { readonly running: number; readonly paused: number };
}

interface Times {
  readonly sinceMs: number;
  state: string;
  changedMs: number;
  readonly spent: Map<string, number>;
}

/** `now`: monotonic milliseconds. */
export function createTaskBook(now: () => number): TaskBook {
  const metrics = new Map<string, TaskMetrics>();
  const times = new Map<string, Times>();

  function enter(id: string, state: string): void {
    const nowMs = now();
    const known = times.get(id);
    // A task that is started again begins anew, as its MBean does.
    if (known === undefined || known.state === "UNASSIGNED" || known.state === "FAILED") {
      times.set(id, { sinceMs: nowMs, state, changedMs: nowMs, spent: new Map() });
      return;
    }
    known.spent.set(known.state, spentIn(known, known.state, nowMs));
    known.state = state;
    known.changedMs = nowMs;
  }

  return {
    hear(notice) {
      if (notice.kind === "status") {
        if (notice.task !== null) enter(`${notice.connector}-${notice.task}`, notice.state);
        return;
      }
      for (const each of notice.metrics) metrics.set(`${each.key.connector}-${each.key.task}`, each);
    },
    delete(id) {
      metrics.delete(id);
      times.delete(id);
    },
    get(connector, task) {
      const found = metrics.get(`${connector}-${task}`);
      return found?.key.connector === connector ? found : null;
    },
    ratios(connector, task) {
      const known = times.get(`${connector}-${task}`);
      if (known === undefined) return { running: 0, paused: 0 };
      const nowMs = now();
      const allMs = nowMs - known.sinceMs;
      const share = (state: string) =>
        allMs <= 0 ? Number(known.state === state) : spentIn(known, state, nowMs) / allMs;
      return { running: share("RUNNING"), paused: share("PAUSED") };
    },
  };
}

function spentIn(times: Times, state: string, nowMs: number): number {
  return (times.spent.get(state) ?? 0) + (times.state === state ? nowMs - times.changedMs : 0);
}
