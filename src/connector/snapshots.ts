import type { ConnectorSnapshot, ConnectorStateInfo, ExpandedConnectors, TargetState } from "@headrace/contract";

/** How many looks in a row have found a connector at work, or paused, without tasks. */
export type TasklessLooks = ReadonlyMap<string, number>;

/** So many of them, and it has none; before that they may not be planned yet. */
const LOOKS_AT_NONE = 3;

/** The count with this look. */
export function countTaskless(expanded: ExpandedConnectors, before: TasklessLooks): TasklessLooks {
  const taskless = Object.entries(expanded).filter(([, { info, status }]) => {
    return info?.tasks.length === 0 && (status?.connector.state === "RUNNING" || status?.connector.state === "PAUSED");
  });
  return new Map(taskless.map(([name]) => [name, (before.get(name) ?? 0) + 1]));
}

/**
 * The connectors of a cluster of JVM workers, read from `GET /connectors?expand=info&expand=status`, in the form in which a Headrace
 * worker would tell of them. `topics`: what is known of the topics that they use.
 */
export function toSnapshots(
  expanded: ExpandedConnectors,
  { topics, taskless }: { readonly topics: ReadonlyMap<string, readonly string[]>; readonly taskless: TasklessLooks },
): Readonly<Record<string, ConnectorSnapshot>> {
  const entries = Object.entries(expanded).flatMap(([name, { info, status = null }]) => {
    if (info === undefined) return [];
    const targetState = targetOf(status);
    const snapshot: ConnectorSnapshot = {
      config: info.config,
      targetState,
      taskCount: countTasks(info.tasks.length, targetState, taskless.get(name) ?? 0),
      status,
      topics: [...(topics.get(name) ?? [])],
    };
    return [[name, snapshot] as const];
  });
  return Object.fromEntries(entries);
}

/** True if nothing is on its way any more, as far as the states tell. */
export function isAtRest(snapshots: Readonly<Record<string, ConnectorSnapshot>>): boolean {
  return Object.values(snapshots).every(({ status, taskCount }) => {
    if (status === null || taskCount === null || status.tasks.length < taskCount) return false;
    return [status.connector, ...status.tasks].every(({ state }) => state !== "UNASSIGNED" && state !== "RESTARTING");
  });
}

/** Kafka Connect does not tell the state that a connector should be in; it shows in the states that were reached. */
function targetOf(status: ConnectorStateInfo | null): TargetState {
  const states = status === null ? [] : [status.connector, ...status.tasks].map(({ state }) => state);
  if (states[0] === "STOPPED") return "STOPPED";
  return states.includes("PAUSED") ? "PAUSED" : "STARTED";
}

/** No tasks are "not yet any" at first: a worker tells that a connector runs, or is resumed, before it has planned its tasks. */
function countTasks(count: number, target: TargetState, looks: number): number | null {
  if (count > 0 || target === "STOPPED") return count;
  return looks >= LOOKS_AT_NONE ? 0 : null;
}
