import type { TaskId } from "@headrace/contract";
import type { Assignment } from "../group/group.ts";
import type { ConnectorShare, ConnectorWork, Work } from "./work.ts";

/** What is in this worker's hands, by connector. */
export interface WorkTable {
  /** The entry of a connector; made if there is none. */
  of(connector: string): ConnectorWork;
  peek(connector: string): ConnectorWork | undefined;
  find(connector: string, task: number | null): Work | null;
  put(work: Work): void;
  /** Does nothing if another start has taken its place. */
  remove(work: Work): void;
  /** Forgets a connector of which nothing is left. */
  prune(connector: string): void;
  all(): readonly Work[];
  connectors(): readonly string[];
}

/** Creates an empty table. */
export function createWorkTable(): WorkTable {
  const table = new Map<string, ConnectorWork>();
  const find = (connector: string, task: number | null) => {
    const entry = table.get(connector);
    return (task === null ? entry?.instance : entry?.tasks.get(task)) ?? null;
  };
  const of = (connector: string) => {
    const found = table.get(connector);
    if (found !== undefined) return found;
    const fresh: ConnectorWork = { instance: null, tasks: new Map(), stoppedReported: false };
    table.set(connector, fresh);
    return fresh;
  };
  return {
    of,
    peek: (connector) => table.get(connector),
    find,
    put(work) {
      const entry = of(work.connector);
      if (work.task === null) entry.instance = work;
      else entry.tasks.set(work.task, work);
    },
    remove(work) {
      const entry = table.get(work.connector);
      if (entry === undefined || find(work.connector, work.task) !== work) return;
      if (work.task === null) entry.instance = null;
      else entry.tasks.delete(work.task);
    },
    prune(connector) {
      const entry = table.get(connector);
      if (entry?.instance === null && entry.tasks.size === 0) table.delete(connector);
    },
    all: () =>
      [...table.values()].flatMap(({ instance, tasks }) => [
        ...(instance === null ? [] : [instance]),
        ...tasks.values(),
      ]),
    connectors: () => [...table.keys()],
  };
}

/** An assignment by connector. */
export function toShares(assignment: Assignment): Map<string, ConnectorShare> {
  const tasks = Map.groupBy(assignment.tasks, (id) => id.connector);
  const names = new Set([...assignment.connectors, ...tasks.keys()]);
  const instances = new Set(assignment.connectors);
  return new Map(
    [...names].map((name) => {
      const numbers: readonly TaskId[] = tasks.get(name) ?? [];
      return [name, { instance: instances.has(name), tasks: new Set(numbers.map((id) => id.task)) }];
    }),
  );
}
