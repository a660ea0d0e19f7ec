import { isDeepStrictEqual } from "node:util";
import type { ConnectorSnapshot, ConnectorStateInfo, StreamEvent } from "@headrace/contract";

/** The connectors of a cluster as its event stream tells of them. */
export type ConnectorMap = ReadonlyMap<string, ConnectorSnapshot>;

export interface Folded {
  readonly connectors: ConnectorMap;
  /** Names of the connectors that are other than before. */
  readonly changed: readonly string[];
}

/** The connectors after `event`. A snapshot replaces everything; what did not change with it is not reported. */
export function foldEvent(connectors: ConnectorMap, event: StreamEvent): Folded {
  switch (event.kind) {
    case "snapshot":
      return replaceAll(connectors, new Map(Object.entries(event.connectors)));
    case "config":
      return replaceOne(connectors, event.connector, event.snapshot);
    case "status": {
      const before = connectors.get(event.connector);
      if (before === undefined) return { connectors, changed: [] };
      return replaceOne(connectors, event.connector, { ...before, status: foldStatus(before.status, event) });
    }
    case "group":
    case "ping":
      return { connectors, changed: [] };
    default:
      throw new Error(`unreachable: ${event satisfies never}`);
  }
}

function replaceAll(before: ConnectorMap, after: ConnectorMap): Folded {
  const names = new Set([...before.keys(), ...after.keys()]);
  return {
    connectors: after,
    changed: [...names].filter((name) => !isDeepStrictEqual(before.get(name), after.get(name))),
  };
}

function replaceOne(connectors: ConnectorMap, name: string, snapshot: ConnectorSnapshot | null): Folded {
  if (isDeepStrictEqual(connectors.get(name) ?? null, snapshot)) return { connectors, changed: [] };
  const after = new Map(connectors);
  if (snapshot === null) after.delete(name);
  else after.set(name, snapshot);
  return { connectors: after, changed: [name] };
}

type StatusEvent = Extract<StreamEvent, { kind: "status" }>;

/** A task's state may come before its connector's: their records are in different partitions of the status topic. */
function foldStatus(status: ConnectorStateInfo | null, event: StatusEvent): ConnectorStateInfo | null {
  const { connector, task, state, workerId, trace, version } = event;
  const optional = { ...(trace === undefined ? {} : { trace }), ...(version === undefined ? {} : { version }) };
  const instance = { state, worker_id: workerId, ...optional };
  const gone = state === "DESTROYED";
  if (gone && (task === null || status === null)) return null;
  const known = status ?? unheard(connector);
  if (task === null) return { ...known, connector: instance };
  const others = known.tasks.filter(({ id }) => id !== task);
  if (gone) return { ...known, tasks: others };
  return { ...known, tasks: [...others, { id: task, ...instance }].sort((a, b) => a.id - b.id) };
}

function unheard(name: string): ConnectorStateInfo {
  return { name, connector: { state: "UNASSIGNED", worker_id: "" }, tasks: [], type: "unknown" };
}
