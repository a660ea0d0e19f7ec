import type { StreamEvent } from "@headrace/contract";
import type { GroupMember, GroupView } from "../group/group.ts";
import type { ConfigChange, ConfigStore, StatusChange, StatusStore } from "../store/stores.ts";
import { toGroupInfo, type Views } from "./views.ts";

/** The cluster as a stream: first everything, then the group, then each change after it was read back from its topic. */
export interface ClusterEvents {
  /** Calls `listener` with a snapshot before it returns, then with each change. Returns the unsubscribe function. */
  subscribe(listener: (event: StreamEvent) => void): () => void;
}

export interface ClusterEventsOptions {
  readonly configStore: Pick<ConfigStore, "onChange">;
  readonly statusStore: Pick<StatusStore, "onChange">;
  readonly member: () => Pick<GroupMember, "view" | "onView">;
  readonly views: Pick<Views, "names" | "snapshot">;
  readonly workerId: string;
}

/** Changes that leave every connector as it is. */
const SILENT: ReadonlySet<ConfigChange["kind"]> = new Set([
  "sessionKeyUpdated",
  "restartRequested",
  "loggerLevelChanged",
]);

/** Creates the stream; it listens to the stores only while somebody listens to it. */
export function createClusterEvents(options: ClusterEventsOptions): ClusterEvents {
  const { configStore, statusStore, member, views, workerId } = options;
  const listeners = new Set<(event: StreamEvent) => void>();
  let stop: (() => void) | null = null;
  /** Views are announced more often than they change. */
  let lastGroup = "";

  const tell = (event: StreamEvent) => {
    for (const listener of [...listeners]) listener(event);
  };
  const tellConnector = (connector: string) => tell({ kind: "config", connector, snapshot: views.snapshot(connector) });

  const listen = () => {
    const ends = [
      configStore.onChange((change) => {
        if (!SILENT.has(change.kind) && "connector" in change) tellConnector(change.connector);
      }),
      statusStore.onChange((change) => {
        if (change.kind === "topic") tellConnector(change.connector);
        else tell(toStatusEvent(change, workerId));
      }),
      member().onView((view) => {
        const event = groupEvent(view);
        const text = JSON.stringify(event);
        if (text !== lastGroup) tell(event);
        lastGroup = text;
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  };

  return {
    subscribe(listener) {
      stop ??= listen();
      const snapshots = views.names().flatMap((name) => {
        const snapshot = views.snapshot(name);
        return snapshot === null ? [] : [[name, snapshot] as const];
      });
      listener({ kind: "snapshot", workerId, connectors: Object.fromEntries(snapshots) });
      listener(groupEvent(member().view()));
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        stop?.();
        stop = null;
      };
    },
  };
}

function groupEvent(view: GroupView): StreamEvent {
  return { kind: "group", group: toGroupInfo(view) };
}

function toStatusEvent(change: Exclude<StatusChange, { kind: "topic" }>, workerId: string): StreamEvent {
  const item =
    change.kind === "connector"
      ? { connector: change.connector, task: null }
      : { connector: change.id.connector, task: change.id.task };
  const { entry } = change;
  if (entry === null) return { kind: "status", ...item, state: "DESTROYED", workerId, generation: 0 };
  return {
    kind: "status",
    ...item,
    state: entry.state,
    workerId: entry.workerId,
    generation: entry.generation,
    ...(entry.trace === null ? {} : { trace: entry.trace }),
    ...(entry.version === null ? {} : { version: entry.version }),
  };
}
