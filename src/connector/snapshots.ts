import type { ConnectorSnapshot, ConnectorStateInfo, ExpandedConnectors, TargetState } from "@headrace/contract";

/**
 * The connectors of a cluster of JVM workers, read from `GET /connectors?expand=info&expand=status`, in the form in which a Headrace
 * worker would tell of them. `topics`: what is known of the topics that they use.
 */
export function toSnapshots(
  expanded: ExpandedConnectors,
  topics: ReadonlyMap<string, readonly string[]>,
): Readonly<Record<string, ConnectorSnapshot>> {
  const entries = Object.entries(expanded).flatMap(([name, { info, status = null }]) => {
    if (info === undefined) return [];
    const targetState = targetOf(status);
    const snapshot: ConnectorSnapshot = {
      config: info.config,
      targetState,
      taskCount: countTasks(info.tasks.length, targetState, status),
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

/** No tasks are "not yet any" until the connector itself has started: it makes their configurations then. */
function countTasks(count: number, target: TargetState, status: ConnectorStateInfo | null): number | null {
  if (count > 0 || target === "STOPPED") return count;
  return status?.connector.state === "RUNNING" || status?.connector.state === "PAUSED" ? 0 : null;
}
