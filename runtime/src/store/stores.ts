import type { InstanceState, StringMap, TargetState, TaskId } from "@headrace/contract";
import type { OffsetMap } from "@headrace/sdk";

/** The three state stores as the herder sees them. Each is one compacted topic, read into memory (contract §2–4). */

/** Everything that the config topic says, as of `offset`. A value: a new one is made by each record that changes it. */
export interface ClusterConfig {
  /** Next offset to be read; -1n if nothing has been read. */
  readonly offset: bigint;
  readonly connectors: ReadonlyMap<string, ConnectorEntry>;
  readonly sessionKey: SessionKey | null;
}

export interface ConnectorEntry {
  /** Raw configuration; placeholders unresolved. */
  readonly config: StringMap;
  readonly targetState: TargetState;
  /** Task configurations of the last good commit; null before any, or while inconsistent. Nothing is started from null. */
  readonly tasks: readonly StringMap[] | null;
  /** Raw connector configuration that was in force at the last good commit (KAFKA-9228). */
  readonly appliedConfig: StringMap | null;
  /** Grows with each good commit, so that a newer task set is told from an older; 0 before any. */
  readonly taskGeneration: number;
  /** The last commit did not cover its task configs. */
  readonly inconsistent: boolean;
}

export interface SessionKey {
  readonly key: Buffer;
  readonly algorithm: string;
  readonly createdAtMs: number;
}

/** Changes of the config topic, told after start-up only, in topic order. */
export type ConfigChange =
  | { readonly kind: "connectorUpdated"; readonly connector: string }
  | { readonly kind: "connectorRemoved"; readonly connector: string }
  | { readonly kind: "tasksCommitted"; readonly connector: string }
  | { readonly kind: "targetStateChanged"; readonly connector: string }
  | { readonly kind: "sessionKeyUpdated" }
  | {
      readonly kind: "restartRequested";
      readonly connector: string;
      readonly includeTasks: boolean;
      readonly onlyFailed: boolean;
    }
  | { readonly kind: "loggerLevelChanged"; readonly namespace: string; readonly level: string };

/** What the config topic says of fencing a connector's tasks (KIP-618). */
export interface FencingState {
  /** Tasks were committed after the last fencing round. */
  readonly pending: boolean;
  /** Number of tasks when that round was done; null before any. */
  readonly taskCount: number | null;
}

/** Which parts of a connector a restart is for (KIP-745). */
export interface RestartScope {
  readonly includeTasks: boolean;
  readonly onlyFailed: boolean;
}

export interface ConfigStore {
  /** Creates or checks the topic, reads it to its end. */
  start(signal: AbortSignal): Promise<void>;
  config(): ClusterConfig;
  onChange(listener: (change: ConfigChange) => void): () => void;
  fencing(connector: string): FencingState;
  readToEnd(signal: AbortSignal): Promise<void>;
  /** This worker has become the leader: whoever was it before is fenced, where writes are transactions. */
  claimPrivilege(signal: AbortSignal): Promise<void>;
  /** Leader only; each resolves when the record was acknowledged and read back. */
  putConnector(
    connector: string,
    config: StringMap,
    targetState: TargetState | null,
    signal: AbortSignal,
  ): Promise<void>;
  removeConnector(connector: string, signal: AbortSignal): Promise<void>;
  putTaskConfigs(connector: string, tasks: readonly StringMap[], signal: AbortSignal): Promise<void>;
  putSessionKey(key: SessionKey, signal: AbortSignal): Promise<void>;
  /** A fencing round was done while the connector had so many tasks. */
  putTaskCount(connector: string, tasks: number, signal: AbortSignal): Promise<void>;
  /** Every worker restarts what it runs of the connector when it reads the record. */
  putRestart(connector: string, scope: RestartScope, signal: AbortSignal): Promise<void>;
  /** Any worker; resolves when acknowledged. Every worker changes the level of the logger when it reads the record. */
  putLoggerLevel(namespace: string, level: string, signal: AbortSignal): Promise<void>;
  /** Any worker; resolves when acknowledged. */
  putTargetState(connector: string, state: TargetState, signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

export interface StatusEntry {
  readonly state: InstanceState;
  readonly workerId: string;
  readonly generation: number;
  readonly trace: string | null;
  readonly version: string | null;
}

/** `entry: null` means that the status is gone. */
export type StatusChange =
  | { readonly kind: "connector"; readonly connector: string; readonly entry: StatusEntry | null }
  | { readonly kind: "task"; readonly id: TaskId; readonly entry: StatusEntry | null }
  | { readonly kind: "topic"; readonly connector: string; readonly topic: string; readonly active: boolean };

/** What a record of the status topic says of a connector instance (`task: null`) or a task, also if something newer is known. */
export interface StatusWord {
  readonly connector: string;
  readonly task: number | null;
  readonly entry: StatusEntry;
}

export interface StatusStore {
  start(signal: AbortSignal): Promise<void>;
  connector(connector: string): StatusEntry | null;
  task(id: TaskId): StatusEntry | null;
  /** Statuses of the tasks of a connector, by task number. */
  tasks(connector: string): ReadonlyMap<number, StatusEntry>;
  topics(connector: string): readonly string[];
  /** Names of all connectors that have a status, a task with one, or an active topic. */
  connectors(): readonly string[];
  onChange(listener: (change: StatusChange) => void): () => void;
  /** Tells each status that is read, whoever wrote it and whether it counts or not; after start-up only, in topic order. */
  onWord(listener: (word: StatusWord) => void): () => void;
  /**
   * `safe`: dropped if another worker with a newer generation has written, as the topic's end tells (contract §4). Retried until
   * acknowledged or superseded.
   */
  putConnector(connector: string, entry: StatusEntry, options: { readonly safe: boolean }): void;
  putTask(id: TaskId, entry: StatusEntry, options: { readonly safe: boolean }): void;
  /** Tombstones of a connector and its tasks, withdrawn once `isGone` is false: it may be there again before they are written. */
  removeConnector(connector: string, isGone: () => boolean): void;
  removeTask(id: TaskId, isGone: () => boolean): void;
  putTopic(connector: string, topic: string, task: number): void;
  resetTopics(connector: string): void;
  /** Resolves when everything put so far was acknowledged or superseded. */
  flush(signal: AbortSignal): Promise<void>;
  readToEnd(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}

export interface OffsetStore {
  start(signal: AbortSignal): Promise<void>;
  /** Reads to the end first. Partitions are equal if they have the same entries, in any order. */
  read(
    connector: string,
    partitions: readonly OffsetMap[],
    signal: AbortSignal,
  ): Promise<readonly (OffsetMap | null)[]>;
  /** All partitions known for a connector. Reads to the end first. */
  list(connector: string, signal: AbortSignal): Promise<readonly { partition: OffsetMap; offset: OffsetMap }[]>;
  /** The records that {@link write} would append now: updates and tombstones have the key bytes that the topic has already. */
  encode(
    connector: string,
    offsets: readonly { partition: OffsetMap; offset: OffsetMap | null }[],
  ): readonly { readonly key: Buffer; readonly value: Buffer | null }[];
  /** Resolves when all are acknowledged; null is a tombstone. Writes of one connector never overtake one another. */
  write(
    connector: string,
    offsets: readonly { partition: OffsetMap; offset: OffsetMap | null }[],
    signal: AbortSignal,
  ): Promise<void>;
  stop(): Promise<void>;
}
