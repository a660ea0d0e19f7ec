import type {
  ConfigInfos,
  ConfigKeyInfo,
  ConnectorType,
  InstanceState,
  PluginInfo,
  StringMap,
  TargetState,
} from "@headrace/contract";
import type { OffsetMap } from "@headrace/sdk";
import type { PackagedPlugin, PackageManifest, PluginPackage } from "../plugins/plugin-package.ts";
import type { PluginMetricValue } from "../task/plugin-metrics.ts";

/**
 * The control channel between the worker process and an executor process (Node IPC, `serialization: "advanced"`).
 * No record ever crosses it. Both directions are typed here and nowhere else.
 */

export interface TaskKey {
  readonly connector: string;
  readonly task: number;
}

/** What an executor needs to run anything. Sent once, as the first call after a ping. */
export interface ExecutorSetup {
  /** The worker's whole configuration, as in its properties file with its own placeholders resolved. */
  readonly worker: StringMap;
  readonly workerId: string;
  readonly kafkaClusterId: string;
}

export interface ConnectorStart {
  readonly connector: string;
  /** Raw: placeholders are resolved by the executor. */
  readonly config: StringMap;
  readonly targetState: TargetState;
}

export interface TaskStart {
  readonly key: TaskKey;
  /** Raw connector configuration, for converters, transforms, tolerance and client overrides. */
  readonly connectorConfig: StringMap;
  readonly taskConfig: StringMap;
  readonly targetState: TargetState;
  /** Of the task set that it belongs to; see {@link WorkerCalls.isCurrentTask}. */
  readonly taskGeneration: number;
  /** How many tasks that set has. */
  readonly taskCount: number;
  /**
   * Sinks: the task's last status names a worker that has left the group, so members of its consumer group with the task's own
   * client id are dead and are removed before it starts.
   */
  readonly evictPredecessor?: boolean;
}

/** A connector by its name and raw configuration. */
export interface ConnectorOwner {
  readonly connector: string;
  readonly config: StringMap;
}

/** A position of a sink in Kafka: the next offset to read. */
export interface SinkOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** How far a sink's consumer group is behind. `end`: where the next record goes; null for a partition that is gone. */
export interface SinkProgress {
  readonly group: string;
  readonly partitions: readonly (SinkOffset & { readonly end: bigint | null })[];
}

/** A new position of a sink; null: none any more. */
export type NewSinkOffset = Omit<SinkOffset, "offset"> & { readonly offset: bigint | null };

/** Worker → executor calls, with their results. A thrown error travels as {@link ChannelError}. */
export interface ExecutorCalls {
  setup: { args: ExecutorSetup; result: { features: readonly string[]; memoryBytes: number } };
  /** Answered by the event loop at once, with the resident memory; one that does not answer for long is hung. */
  ping: { args: null; result: { readonly memoryBytes: number } };
  plugins: { args: null; result: readonly (PluginInfo & { readonly aliases: readonly string[] })[] };
  /** Loads a package of plugins to see what it has; may never answer, or end the process. */
  probePackage: { args: { manifest: PackageManifest }; result: readonly PackagedPlugin[] };
  /** `version`: exact or a range; null: the latest. */
  configDef: { args: { plugin: string; version: string | null }; result: readonly ConfigKeyInfo[] };
  /** Null values are possible in what a client sends. */
  validate: { args: { config: Readonly<Record<string, string | null>> }; result: ConfigInfos };
  /** Resolves when the connector runs (or is paused); rejects if it could not start. */
  startConnector: { args: ConnectorStart; result: null };
  stopConnector: { args: { connector: string }; result: null };
  /** Pauses or resumes a running connector instance and its tasks here; stopping is done by stop calls. */
  setTargetState: { args: { connector: string; targetState: TargetState }; result: null };
  /**
   * Tells a source connector of new offsets; null: the partition is forgotten. True if nothing else is to be done, false if the
   * connector says or may have kept them elsewhere, too. Rejects with the connector's own words.
   */
  alterSourceOffsets: {
    args: ConnectorOwner & { readonly offsets: readonly { partition: OffsetMap; offset: OffsetMap | null }[] };
    result: boolean;
  };
  /** What a source connector has in an offsets topic of its own; empty if it has none. */
  ownOffsets: { args: ConnectorOwner; result: readonly { partition: OffsetMap; offset: OffsetMap }[] };
  /**
   * Writes to a source connector's own offsets topic, with exactly-once delivery in a transaction. `records`: what the worker's topic would
   * get, for connectors that keep their offsets there.
   */
  writeOwnOffsets: {
    args: ConnectorOwner & {
      readonly offsets: readonly { partition: OffsetMap; offset: OffsetMap | null }[];
      readonly records: readonly { readonly key: Buffer; readonly value: Buffer | null }[];
    };
    result: null;
  };
  /** Fences the producers of a source connector's tasks, by the number of tasks that it may have had. */
  /** Of a configuration whose class only its resolved form names; `unknown`: there is no such plugin. */
  connectorType: { args: { config: StringMap }; result: ConnectorType };
  fenceProducers: { args: ConnectorOwner & { readonly tasks: number }; result: null };
  /** Committed offsets of a sink connector's consumer group. */
  sinkOffsets: { args: ConnectorOwner; result: readonly SinkOffset[] };
  /** The same, with the ends of the partitions. */
  sinkProgress: { args: ConnectorOwner; result: SinkProgress };
  /**
   * Tells a sink connector, as `alterSourceOffsets`, then changes its consumer group's offsets; `offsets` null: removes the group.
   * Rejects with `conflict` if the group has members.
   */
  alterSinkOffsets: {
    args: ConnectorOwner & { readonly offsets: readonly NewSinkOffset[] | null };
    result: boolean;
  };
  /** The connector's current plan, `task.class` and (sinks) topics added, `${…}` put back where the connector's raw value has it. */
  taskConfigs: { args: { connector: string }; result: readonly StringMap[] };
  /** Resolves when the task was accepted; RUNNING or FAILED follow as status notices. */
  startTask: { args: TaskStart; result: null };
  /** Resolves when the task has stopped, committed what it could within `timeoutMs`, and was forgotten. */
  stopTask: { args: { key: TaskKey; timeoutMs: number }; result: null };
}

/** Executor → worker calls. */
export interface WorkerCalls {
  /** Reads the offsets topic to its end, then looks the partitions up; null where nothing is stored. */
  readOffsets: { args: { connector: string; partitions: readonly OffsetMap[] }; result: readonly (OffsetMap | null)[] };
  /** The key bytes under which the offsets topic has, or would have, these partitions. */
  offsetKeys: { args: { connector: string; partitions: readonly OffsetMap[] }; result: readonly Buffer[] };
  /** Has the leader fence the producers of the connector's former tasks (KIP-618). */
  fenceZombies: { args: { connector: string }; result: null };
  /** Reads the config topic to its end; false if there is a newer task set, or the task belongs to another worker. */
  isCurrentTask: { args: { key: TaskKey; taskGeneration: number }; result: boolean };
  /** Resolves when Kafka has acknowledged all of them. */
  writeOffsets: {
    args: { connector: string; offsets: readonly { partition: OffsetMap; offset: OffsetMap | null }[] };
    result: null;
  };
}

/** Executor → worker, without an answer. */
export type ExecutorNotice =
  | {
      readonly kind: "status";
      readonly connector: string;
      /** null: the connector instance. */
      readonly task: number | null;
      readonly state: InstanceState;
      readonly trace: string | null;
      readonly version: string | null;
    }
  | { readonly kind: "taskReconfiguration"; readonly connector: string }
  /** The connector's instance (`task` null) or task has read values that are good for so long; told only if it wants to be restarted then. */
  | {
      readonly kind: "expiry";
      readonly connector: string;
      readonly task: number | null;
      /** `provider:path`. */
      readonly source: string;
      readonly ttlMs: number;
    }
  | { readonly kind: "activeTopic"; readonly connector: string; readonly task: number; readonly topic: string }
  | { readonly kind: "metrics"; readonly metrics: readonly TaskMetrics[] }
  | {
      readonly kind: "log";
      readonly level: "error" | "warn" | "info" | "debug";
      readonly fields: object;
      readonly message: string;
    };

/** The classes and versions that a task is made of, by the attributes of connector-task-metrics. */
export interface TaskClasses {
  readonly attributes: StringMap;
  readonly transforms: readonly AliasedPlugin[];
  readonly predicates: readonly AliasedPlugin[];
}

export interface AliasedPlugin {
  readonly alias: string;
  readonly class: string;
  readonly version: string;
}

/** Numbers of one task. Sent every second while they change. */
export interface TaskMetrics {
  readonly key: TaskKey;
  readonly type: "source" | "sink";
  /** By the names of contract §11. */
  readonly values: Readonly<Record<string, number>>;
  /** null: the task could not be built. */
  readonly classes: TaskClasses | null;
  /** What the task has registered itself. */
  readonly own: readonly PluginMetricValue[];
}

/** Worker → executor, without an answer. */
export type WorkerNotice =
  /**
   * Nothing may be polled, put or produced later than `ttlMs` after `sentAtMs` (of the machine's clock, so that a notice that lay
   * unread does not count from its reading), unless renewed. 0: stop at once.
   */
  | { readonly kind: "lease"; readonly ttlMs: number; readonly sentAtMs: number }
  /** These are the packages of `plugin.path` from now on. The first is on its way before the set-up. */
  | { readonly kind: "packages"; readonly packages: readonly PluginPackage[] };

export interface ChannelError {
  readonly name: string;
  readonly code: string | null;
  readonly message: string;
  readonly stack: string;
}

export type ToExecutor =
  | { readonly kind: "call"; readonly id: number; readonly name: keyof ExecutorCalls; readonly args: unknown }
  /** The caller gave up on its call; a reply may still come and is ignored. */
  | { readonly kind: "cancel"; readonly id: number }
  | { readonly kind: "reply"; readonly id: number; readonly result?: unknown; readonly error?: ChannelError }
  | { readonly kind: "notice"; readonly notice: WorkerNotice };

export type FromExecutor =
  | { readonly kind: "call"; readonly id: number; readonly name: keyof WorkerCalls; readonly args: unknown }
  | { readonly kind: "cancel"; readonly id: number }
  | { readonly kind: "reply"; readonly id: number; readonly result?: unknown; readonly error?: ChannelError }
  | { readonly kind: "notice"; readonly notice: ExecutorNotice };
