import type { Stages } from "../stages.ts";
import type { Restarts } from "./restarts.ts";
import type { StopWaiters } from "./stop-waiters.ts";
import type { Work } from "./work.ts";
import type { WorkTable } from "./work-table.ts";

/** What is stopped and restarted because its configuration has changed; it is the worker's stage meanwhile. */
export interface Reconfigured {
  /** A connector has another configuration. */
  connector(name: string): void;
  /** A task is being stopped, since its connector has another set of tasks. */
  stopping(task: Work): void;
  /** Tells of what came together since the last call. */
  tell(): void;
}

/** Creates it with nothing to tell. Wordings are the contract's (§5.0). */
export function createReconfigured(options: {
  readonly table: Pick<WorkTable, "find">;
  readonly stops: Pick<StopWaiters, "whenStopped">;
  readonly restarts: Pick<Restarts, "awaitNext">;
  readonly stages: Pick<Stages, "during">;
}): Reconfigured {
  const { table, stops, restarts, stages } = options;
  const connectors = new Set<string>();
  let tasks: Work[] = [];

  /** However it ends: by a start, by a failure or by nobody wanting it any more. */
  const restarted = (former: Work) =>
    new Promise<void>((resolve) => restarts.awaitNext(former, { resolve, reject: () => resolve() }));
  return {
    connector: (name) => void connectors.add(name),
    stopping: (task) => void tasks.push(task),
    tell() {
      const instances = [...connectors].flatMap((name) => table.find(name, null) ?? []);
      const restarting = instances.filter((work) => work.phase === "stopping");
      const stopping = tasks;
      connectors.clear();
      tasks = [];
      if (restarting.length > 0) {
        void stages.during(`restarting ${restarting.length} reconfigured connectors`, () =>
          Promise.all(restarting.map(restarted)),
        );
      }
      if (stopping.length > 0) {
        void stages.during(
          `stopping ${stopping.length} reconfigured tasks`,
          () => new Promise<void>((resolve) => stops.whenStopped(stopping, resolve)),
        );
      }
    },
  };
}
