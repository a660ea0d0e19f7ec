import type { TaskId } from "@headrace/contract";
import type { ClusterConfig, StatusStore } from "../store/stores.ts";

/** Statuses of things that no configuration knows any more. */
export interface StaleStatuses {
  readonly connectors: readonly string[];
  readonly tasks: readonly TaskId[];
  /** Connectors whose active topics are still listed. */
  readonly topics: readonly string[];
}

/**
 * What a leader has to write tombstones for (contract §1.4): connectors that are not configured, and tasks beyond the committed set.
 * Tasks of a connector whose set is inconsistent or not yet committed are left alone.
 */
export function staleStatuses(
  config: ClusterConfig,
  statuses: Pick<StatusStore, "connectors" | "tasks" | "topics">,
): StaleStatuses {
  const connectors: string[] = [];
  const tasks: TaskId[] = [];
  const topics: string[] = [];
  for (const connector of statuses.connectors()) {
    const entry = config.connectors.get(connector);
    if (entry === undefined) {
      connectors.push(connector);
      if (statuses.topics(connector).length > 0) topics.push(connector);
    }
    const count = entry?.tasks?.length;
    if (count === undefined) continue;
    for (const task of statuses.tasks(connector).keys()) if (task >= count) tasks.push({ connector, task });
  }
  return { connectors, tasks, topics };
}
