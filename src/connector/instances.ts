import type { ConnectorSnapshot, ConnectorState, InstanceState, TaskState } from "@headrace/contract";

/** The connector itself, or one of its tasks by its number. */
export type InstanceId = "connector" | number;

/** The tasks that there should be: states of tasks from before a reduction stay in the status topic. */
export function expectedTasks({ status, taskCount }: ConnectorSnapshot): readonly TaskState[] {
  return status?.tasks.filter(({ id }) => id < (taskCount ?? 0)) ?? [];
}

/** How many of them are in this state. */
export function tasksIn(actual: ConnectorSnapshot, wanted: InstanceState): number {
  return expectedTasks(actual).filter(({ state }) => state === wanted).length;
}

/** The connector, where its state is known, and the tasks that there should be. */
export function instancesOf(actual: ConnectorSnapshot): readonly (readonly [InstanceId, ConnectorState])[] {
  if (actual.status === null) return [];
  return [["connector", actual.status.connector], ...expectedTasks(actual).map((task) => [task.id, task] as const)];
}

/** True if nothing of the connector runs any more. States of tasks that are no longer assigned to anybody do not count. */
export function isStopped({ status, targetState }: ConnectorSnapshot): boolean {
  if (targetState !== "STOPPED" || status?.connector.state !== "STOPPED") return false;
  return !status.tasks.some(({ state }) => state === "RUNNING" || state === "PAUSED" || state === "RESTARTING");
}
