import type { StatusEntry } from "../store/stores.ts";
import { connectorOfKey } from "./work.ts";

/** What is known of whoever ran a task before. */
export interface Predecessors {
  /** It ended in order, by this process. */
  stopped(task: string): void;
  /** Its process died, here. */
  died(task: string): void;
  /**
   * True if the one before cannot have left its consumer group: it is dead, and the sink that starts now has to remove it. Forgets what
   * it was told of this task.
   */
  isDead(task: string, last: LastRun): boolean;
  /** Forgets all tasks of a connector. */
  forgetConnector(connector: string): void;
  forget(task: string): void;
}

export interface LastRun {
  readonly status: StatusEntry | null;
  /** This worker's id. */
  readonly workerId: string;
}

/** Creates an empty memory. */
export function createPredecessors(): Predecessors {
  const ends = new Map<string, "stopped" | "died">();
  return {
    stopped: (task) => void ends.set(task, "stopped"),
    died: (task) => void ends.set(task, "died"),
    forgetConnector(connector) {
      for (const task of ends.keys()) if (connectorOfKey(task) === connector) ends.delete(task);
    },
    forget: (task) => void ends.delete(task),
    isDead(task, last) {
      const end = ends.get(task);
      ends.delete(task);
      // Since then it may have run elsewhere: then its status tells.
      const hereLast = last.status?.workerId === last.workerId;
      return end !== undefined && hereLast ? end === "died" : diedElsewhere(last);
    },
  };
}

/**
 * Whoever stops in order writes UNASSIGNED before it gives its work back, so a task whose status still says that it runs was cut off: with
 * a worker that has left the group, with this worker's former process, or with a worker that had lost its membership and is back.
 * Each Connect cluster has statuses of its own: two of them with one connector name do not take each other for dead this way.
 */
function diedElsewhere({ status }: LastRun): boolean {
  return status !== null && CUT_OFF.has(status.state);
}

/** States that an end in order replaces. */
const CUT_OFF: ReadonlySet<string> = new Set(["RESTARTING", "RUNNING", "PAUSED"]);
