import type { Assignment } from "./group.ts";

/**
 * A connector instance or a task as one string, so that work can be kept in sets: `<task>/<connector>`, a connector instance being task -1,
 * as on the wire.
 */
export type ItemKey = string;

const CONNECTOR_TASK = -1;

export const NO_WORK: Assignment = { connectors: [], tasks: [] };

export function toKeys(work: Assignment): ItemKey[] {
  return [
    ...work.connectors.map((connector) => `${CONNECTOR_TASK}/${connector}`),
    ...work.tasks.map(({ connector, task }) => `${task}/${connector}`),
  ];
}

/** Connectors sorted by name, tasks by connector and number. */
export function toWork(keys: Iterable<ItemKey>): Assignment {
  const items = [...keys].map(parse).sort(compare);
  return {
    connectors: items.filter((item) => item.task === CONNECTOR_TASK).map((item) => item.connector),
    tasks: items.filter((item) => item.task !== CONNECTOR_TASK),
  };
}

export function isConnector(key: ItemKey): boolean {
  return key.startsWith(`${CONNECTOR_TASK}/`);
}

/** Connectors first; then by connector name, then by task number. */
export function sortKeys(keys: Iterable<ItemKey>): ItemKey[] {
  const { connectors, tasks } = toWork(keys);
  return toKeys({ connectors, tasks });
}

export function isEmpty(work: Assignment): boolean {
  return work.connectors.length === 0 && work.tasks.length === 0;
}

/** What is in `work` and not in `taken`. */
export function without(work: Assignment, taken: Assignment): Assignment {
  const removed = new Set(toKeys(taken));
  return toWork(toKeys(work).filter((key) => !removed.has(key)));
}

export function intersection(work: Assignment, other: Assignment): Assignment {
  const kept = new Set(toKeys(other));
  return toWork(toKeys(work).filter((key) => kept.has(key)));
}

export function union(one: Assignment, other: Assignment): Assignment {
  return toWork(new Set([...toKeys(one), ...toKeys(other)]));
}

function parse(key: ItemKey): { connector: string; task: number } {
  const slash = key.indexOf("/");
  return { connector: key.slice(slash + 1), task: Number(key.slice(0, slash)) };
}

function compare(one: { connector: string; task: number }, other: { connector: string; task: number }): number {
  if (one.connector !== other.connector) return one.connector < other.connector ? -1 : 1;
  return one.task - other.task;
}
