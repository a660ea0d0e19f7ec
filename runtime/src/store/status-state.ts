import type { TaskId } from "@headrace/contract";

import { readStatusRecord, type StatusRecord } from "./status-records.ts";
import type { StatusChange, StatusEntry, StatusWord } from "./stores.ts";

/** What the status topic says, read so far. */
export interface StatusState {
  connector(connector: string): StatusEntry | null;
  task(id: TaskId): StatusEntry | null;
  tasks(connector: string): ReadonlyMap<number, StatusEntry>;
  topics(connector: string): readonly string[];
  connectors(): readonly string[];
  /** Takes one record in and says what changed by it, and what it says; a record that is not understood gives its problem. */
  apply(record: { readonly key: Buffer | null; readonly value: Buffer | null }): {
    readonly changes: readonly StatusChange[];
    /** Null for tombstones and for topics. */
    readonly word: StatusWord | null;
    readonly problem: string | null;
  };
}

const NO_TASKS: ReadonlyMap<number, StatusEntry> = new Map();

/** Starts with nothing. */
export function createStatusState(): StatusState {
  const connectors = new Map<string, StatusEntry>();
  const tasks = new Map<string, Map<number, StatusEntry>>();
  const topics = new Map<string, Set<string>>();

  function removeTask({ connector, task }: TaskId): StatusChange[] {
    const own = tasks.get(connector);
    if (own?.delete(task) !== true) return [];
    if (own.size === 0) tasks.delete(connector);
    return [{ kind: "task", id: { connector, task }, entry: null }];
  }

  /** The tombstone of a connector stands for its tasks, too. */
  function removeConnector(connector: string): StatusChange[] {
    const own = [...(tasks.get(connector)?.keys() ?? [])];
    const removed = own.flatMap((task) => removeTask({ connector, task }));
    return connectors.delete(connector) ? [...removed, { kind: "connector", connector, entry: null }] : removed;
  }

  function putConnector(connector: string, entry: StatusEntry | null): StatusChange[] {
    if (entry === null) return removeConnector(connector);
    if (isOvertaken(entry, connectors.get(connector))) return [];
    connectors.set(connector, entry);
    return [{ kind: "connector", connector, entry }];
  }

  function putTask(id: TaskId, entry: StatusEntry): StatusChange[] {
    const own = tasks.get(id.connector) ?? new Map<number, StatusEntry>();
    if (isStale(entry, own.get(id.task)) || isOvertaken(entry, own.get(id.task))) return [];
    tasks.set(id.connector, own.set(id.task, entry));
    return [{ kind: "task", id, entry }];
  }

  function putTopic(connector: string, topic: string, active: boolean): StatusChange[] {
    const own = topics.get(connector) ?? new Set<string>();
    if (own.has(topic) === active) return [];
    if (active) topics.set(connector, own.add(topic));
    else {
      own.delete(topic);
      if (own.size === 0) topics.delete(connector);
    }
    return [{ kind: "topic", connector, topic, active }];
  }

  function take(record: Understood): readonly StatusChange[] {
    switch (record.kind) {
      case "connector":
        return putConnector(record.connector, record.entry);
      case "task":
        return record.entry === null ? removeTask(record.id) : putTask(record.id, record.entry);
      case "topic":
        return putTopic(record.connector, record.topic, record.active);
      default:
        throw new Error(`unreachable: ${record satisfies never}`);
    }
  }

  return {
    connector: (connector) => connectors.get(connector) ?? null,
    task: ({ connector, task }) => tasks.get(connector)?.get(task) ?? null,
    tasks: (connector) => new Map([...(tasks.get(connector) ?? NO_TASKS)].sort(([a], [b]) => a - b)),
    topics: (connector) => [...(topics.get(connector) ?? [])].sort(),
    connectors: () => [...new Set([...connectors.keys(), ...tasks.keys(), ...topics.keys()])],
    apply({ key, value }) {
      const record = readStatusRecord(key, value);
      if (record.kind === "corrupt") return { changes: [], word: null, problem: record.problem };
      return { changes: take(record), word: wordOf(record), problem: null };
    },
  };
}

type Understood = Exclude<StatusRecord, { kind: "corrupt" }>;

function wordOf(record: Understood): StatusWord | null {
  if (record.kind === "topic" || record.entry === null) return null;
  const { connector, task } = record.kind === "task" ? record.id : { connector: record.connector, task: null };
  return { connector, task, entry: record.entry };
}

/**
 * A worker that was slow to let go of a task must not hide that another one runs it already (contract §4). What the running worker
 * itself says later always counts.
 */
function isStale(entry: StatusEntry, cached: StatusEntry | undefined): boolean {
  if (cached === undefined || entry.state !== "UNASSIGNED" || cached.state !== "RUNNING") return false;
  return cached.generation >= entry.generation && cached.workerId !== entry.workerId;
}

/** What a worker says of something that it lets go of, or begins anew with. */
const NOT_AT_WORK: ReadonlySet<string> = new Set(["UNASSIGNED", "RESTARTING"]);

/** Whether a worker that the group has left behind says this of what another one runs since a later generation: it may write late. */
function isOvertaken(entry: StatusEntry, cached: StatusEntry | undefined): boolean {
  if (cached === undefined || !NOT_AT_WORK.has(entry.state) || cached.state !== "RUNNING") return false;
  return cached.generation > entry.generation && cached.workerId !== entry.workerId;
}

/** Whether a shutdown or a failure may be written over what is known (putSafe of contract §4). */
export function mayReplace(cached: StatusEntry | null, entry: StatusEntry): boolean {
  return cached === null || cached.workerId === entry.workerId || cached.generation <= entry.generation;
}
