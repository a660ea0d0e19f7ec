import type { StringMap, TargetState } from "@headrace/contract";
import { type ConfigRecord, readConfigRecord } from "./config-records.ts";
import type { ClusterConfig, ConfigChange, ConnectorEntry, SessionKey } from "./stores.ts";

/** What the fold remembers between records: the visible configuration, and what waits to become visible. */
export interface ConfigState extends ClusterConfig {
  /** Task configurations that no commit has made effective yet, by connector and task number. */
  readonly deferred: ReadonlyMap<string, ReadonlyMap<number, StringMap>>;
  /** Target states, also of connectors that have no configuration yet: a wanted initial state is written first. */
  readonly targetStates: ReadonlyMap<string, TargetState>;
  /** Task counts of the last fencing round, for exactly-once sources (KIP-618); of deleted connectors as well. */
  readonly taskCounts: ReadonlyMap<string, number>;
  /** Connectors whose tasks were committed after that round. */
  readonly pendingFencing: ReadonlySet<string>;
}

export const EMPTY_CONFIG: ConfigState = {
  offset: -1n,
  connectors: new Map(),
  sessionKey: null,
  deferred: new Map(),
  targetStates: new Map(),
  taskCounts: new Map(),
  pendingFencing: new Set(),
};

export interface ConfigFold {
  readonly state: ConfigState;
  /** In topic order. */
  readonly changes: readonly ConfigChange[];
  /** Why records were ignored. */
  readonly problems: readonly { readonly offset: bigint; readonly problem: string }[];
}

/**
 * Folds records of the config topic, in order, into the state (contract §2.4; source: KafkaConfigBackingStore.ConsumeCallback).
 * Pure; a record that is not understood is a problem in the result, never an exception, and the offset advances over it.
 */
export function foldConfig(
  state: ConfigState,
  records: readonly { readonly offset: bigint; readonly key: Buffer | null; readonly value: Buffer | null }[],
): ConfigFold {
  const draft: Draft = {
    connectors: new Map(state.connectors),
    deferred: new Map(state.deferred),
    targetStates: new Map(state.targetStates),
    taskCounts: new Map(state.taskCounts),
    pendingFencing: new Set(state.pendingFencing),
    sessionKey: state.sessionKey,
  };
  const changes: ConfigChange[] = [];
  const problems: { offset: bigint; problem: string }[] = [];
  let { offset } = state;
  for (const record of records) {
    offset = record.offset + 1n;
    const parsed = readConfigRecord(record.key, record.value);
    if (parsed.kind === "corrupt") problems.push({ offset: record.offset, problem: parsed.problem });
    const change = apply(draft, parsed, offset);
    if (change !== null) changes.push(change);
  }
  return { state: { ...draft, offset }, changes, problems };
}

/** Copies of the state's collections, free to change while one batch is folded. */
interface Draft {
  readonly connectors: Map<string, ConnectorEntry>;
  readonly deferred: Map<string, ReadonlyMap<number, StringMap>>;
  readonly targetStates: Map<string, TargetState>;
  readonly taskCounts: Map<string, number>;
  readonly pendingFencing: Set<string>;
  sessionKey: SessionKey | null;
}

function apply(draft: Draft, record: ConfigRecord, next: bigint): ConfigChange | null {
  switch (record.kind) {
    case "connector":
      return record.config === null
        ? removeConnector(draft, record.connector)
        : updateConnector(draft, record.connector, record.config);
    case "targetState":
      return applyTargetState(draft, record.connector, record.state);
    case "task": {
      const tasks = new Map(draft.deferred.get(record.connector));
      draft.deferred.set(record.connector, tasks.set(record.task, record.config));
      return null;
    }
    case "commit":
      return commitTasks(draft, record, next);
    case "taskCount":
      draft.taskCounts.set(record.connector, record.count);
      draft.pendingFencing.delete(record.connector);
      return null;
    case "sessionKey":
      draft.sessionKey = record.key;
      return { kind: "sessionKeyUpdated" };
    case "restart": {
      const { connector, includeTasks, onlyFailed } = record;
      return { kind: "restartRequested", connector, includeTasks, onlyFailed };
    }
    case "loggerLevel":
      return { kind: "loggerLevelChanged", namespace: record.namespace, level: record.level };
    case "ignored":
    case "corrupt":
      return null;
    default:
      throw new Error(`unreachable: ${record satisfies never}`);
  }
}

function updateConnector(draft: Draft, connector: string, config: StringMap): ConfigChange {
  const targetState = draft.targetStates.get(connector) ?? "STARTED";
  draft.targetStates.set(connector, targetState);
  const known = draft.connectors.get(connector) ?? NEW_ENTRY;
  draft.connectors.set(connector, { ...known, config, targetState });
  return { kind: "connectorUpdated", connector };
}

const NEW_ENTRY = { tasks: null, appliedConfig: null, taskGeneration: 0, inconsistent: false };

function removeConnector(draft: Draft, connector: string): ConfigChange {
  forget(draft, connector);
  draft.targetStates.delete(connector);
  return { kind: "connectorRemoved", connector };
}

/** All but its task count: tasks of a connector that is made anew under this name have to fence those of the former one (KIP-618). */
function forget(draft: Draft, connector: string): void {
  draft.connectors.delete(connector);
  draft.deferred.delete(connector);
}

function applyTargetState(draft: Draft, connector: string, state: TargetState | null): ConfigChange | null {
  const entry = draft.connectors.get(connector);
  if (state === null) {
    // The removal of the configuration says everything; if it is still there, the connector is started.
    if (entry === undefined) draft.targetStates.delete(connector);
    else {
      draft.targetStates.set(connector, "STARTED");
      draft.connectors.set(connector, { ...entry, targetState: "STARTED" });
    }
    return null;
  }
  const changed = draft.targetStates.get(connector) !== state;
  draft.targetStates.set(connector, state);
  if (entry === undefined) return null;
  draft.connectors.set(connector, { ...entry, targetState: state });
  return changed ? { kind: "targetStateChanged", connector } : null;
}

function commitTasks(
  draft: Draft,
  { connector, tasks: count }: { readonly connector: string; readonly tasks: number },
  next: bigint,
): ConfigChange | null {
  const entry = draft.connectors.get(connector);
  if (entry === undefined) {
    // The connector was deleted, and compaction has removed all trace of it but this (KAFKA-16838).
    forget(draft, connector);
    return null;
  }
  const deferred = draft.deferred.get(connector) ?? new Map<number, StringMap>();
  const tasks = Array.from({ length: Math.min(count, deferred.size) }, (_, task) => deferred.get(task));
  const complete = tasks.every((config) => config !== undefined);
  if (tasks.length === count && complete) {
    draft.connectors.set(connector, {
      ...entry,
      tasks,
      appliedConfig: entry.config,
      // The place in the topic, so that it grows even if the connector was deleted and made anew in between.
      taskGeneration: Number(next),
      inconsistent: false,
    });
  } else {
    draft.connectors.set(connector, { ...entry, tasks: null, inconsistent: true });
  }
  draft.deferred.delete(connector);
  draft.pendingFencing.add(connector);
  return { kind: "tasksCommitted", connector };
}
