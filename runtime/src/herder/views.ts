import type {
  ConnectorInfo,
  ConnectorSnapshot,
  ConnectorState,
  ConnectorStateInfo,
  GroupInfo,
  TaskInfo,
  TaskState,
} from "@headrace/contract";
import type { GroupView } from "../group/group.ts";
import type { ClusterConfig, StatusEntry, StatusStore } from "../store/stores.ts";
import type { Catalog } from "./catalog.ts";

/** Reads what the cluster knows, in the form in which REST gives it. Never waits: it is what was read back from the topics so far. */
export interface Views {
  names(): readonly string[];
  /** null: there is no such connector. */
  info(connector: string): ConnectorInfo | null;
  /** null: nobody has written a status. */
  state(connector: string): ConnectorStateInfo | null;
  taskState(connector: string, task: number): TaskState | null;
  tasks(connector: string): readonly TaskInfo[] | null;
  topics(connector: string): readonly string[];
  snapshot(connector: string): ConnectorSnapshot | null;
}

export interface ViewsOptions {
  readonly config: () => ClusterConfig;
  readonly statuses: Pick<StatusStore, "connector" | "task" | "tasks" | "topics">;
  readonly catalog: () => Catalog;
}

/** Creates the views over the stores. */
export function createViews({ config, statuses, catalog }: ViewsOptions): Views {
  const find = (connector: string) => config().connectors.get(connector) ?? null;
  const typeOf = (connector: string) => catalog().connectorType(find(connector)?.config["connector.class"]);

  const info = (connector: string): ConnectorInfo | null => {
    const entry = find(connector);
    if (entry === null) return null;
    const tasks = (entry.tasks ?? []).map((_, task) => ({ connector, task }));
    return { name: connector, config: entry.config, tasks, type: typeOf(connector) };
  };
  const state = (connector: string): ConnectorStateInfo | null => {
    const entry = statuses.connector(connector);
    if (entry === null) return null;
    const tasks = [...statuses.tasks(connector)].toSorted(([a], [b]) => a - b);
    return {
      name: connector,
      connector: toState(entry),
      tasks: tasks.map(([id, task]) => ({ id, ...toState(task) })),
      type: typeOf(connector),
    };
  };
  return {
    names: () => [...config().connectors.keys()],
    info,
    state,
    taskState(connector, task) {
      const entry = statuses.task({ connector, task });
      return entry === null ? null : { id: task, ...toState(entry) };
    },
    tasks(connector) {
      const entry = find(connector);
      return entry === null ? null : (entry.tasks ?? []).map((config, task) => ({ id: { connector, task }, config }));
    },
    topics: (connector) => statuses.topics(connector),
    snapshot(connector) {
      const entry = find(connector);
      if (entry === null) return null;
      return {
        config: entry.config,
        targetState: entry.targetState,
        taskCount: entry.tasks?.length ?? null,
        status: state(connector),
        topics: [...statuses.topics(connector)],
      };
    },
  };
}

/** `trace` and `version` are absent, not null, when there is none (contract §5.3). */
function toState(entry: StatusEntry): ConnectorState {
  return {
    state: entry.state,
    worker_id: entry.workerId,
    ...(entry.trace === null ? {} : { trace: entry.trace }),
    ...(entry.version === null ? {} : { version: entry.version }),
  };
}

/** The group as REST describes it. */
export function toGroupInfo(view: GroupView): GroupInfo {
  return {
    generation: view.generation,
    leaderUrl: view.leaderUrl,
    rebalancing: view.rebalancing,
    balanced: view.balanced,
    delayMs: view.delayMs,
    members: view.members.map(({ memberId, url, draining, assignment }) => ({
      memberId,
      url,
      draining,
      assignment: { connectors: [...assignment.connectors], tasks: [...assignment.tasks] },
    })),
  };
}
