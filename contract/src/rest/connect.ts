import { z } from "zod";

/**
 * Bodies of Kafka Connect's own REST API. Java peers parse ConnectorInfo, ConnectorStateInfo and ErrorMessage strictly,
 * so nothing is ever added to them. Source: org.apache.kafka.connect.runtime.rest.entities (4.3).
 */

export const ConnectorType = z.enum(["source", "sink", "unknown"]);
export type ConnectorType = z.infer<typeof ConnectorType>;

/** States of connectors and tasks as they stand in the status topic; STOPPED is for connectors only. */
export const InstanceState = z.enum([
  "UNASSIGNED",
  "RUNNING",
  "PAUSED",
  "STOPPED",
  "FAILED",
  "RESTARTING",
  "DESTROYED",
]);
export type InstanceState = z.infer<typeof InstanceState>;

/** What the user wants a connector to do. Stored in `target-state-<c>` records. */
export const TargetState = z.enum(["STARTED", "PAUSED", "STOPPED"]);
export type TargetState = z.infer<typeof TargetState>;

/** A connector's or task's flat configuration. */
export const StringMap = z.record(z.string(), z.string());
export type StringMap = z.infer<typeof StringMap>;

export const TaskId = z.object({ connector: z.string(), task: z.int() });
export type TaskId = z.infer<typeof TaskId>;

export const ConnectorInfo = z.object({
  name: z.string(),
  config: StringMap,
  tasks: z.array(TaskId),
  type: ConnectorType,
});
export type ConnectorInfo = z.infer<typeof ConnectorInfo>;

/** `trace` is absent, not null, when there is none. `version` since 4.1 (KIP-891); a JVM worker gives null where it does not know it. */
export const ConnectorState = z.object({
  state: InstanceState,
  worker_id: z.string(),
  trace: z.string().optional(),
  version: z.preprocess((version) => version ?? undefined, z.string().optional()),
});
export type ConnectorState = z.infer<typeof ConnectorState>;

export const TaskState = z.object({ id: z.int(), ...ConnectorState.shape });
export type TaskState = z.infer<typeof TaskState>;

export const ConnectorStateInfo = z.object({
  name: z.string(),
  connector: ConnectorState,
  tasks: z.array(TaskState),
  type: ConnectorType,
});
export type ConnectorStateInfo = z.infer<typeof ConnectorStateInfo>;

export const TaskInfo = z.object({ id: TaskId, config: StringMap });
export type TaskInfo = z.infer<typeof TaskInfo>;

/** Body of POST /connectors. */
export const CreateConnectorRequest = z.object({
  name: z.string().optional(),
  config: z.record(z.string(), z.string().nullable()),
  initial_state: z.string().optional(),
});
export type CreateConnectorRequest = z.infer<typeof CreateConnectorRequest>;

export const ErrorMessage = z.object({ error_code: z.int(), message: z.string().nullable() });
export type ErrorMessage = z.infer<typeof ErrorMessage>;

export const ServerInfo = z.object({ version: z.string(), commit: z.string(), kafka_cluster_id: z.string() });
export type ServerInfo = z.infer<typeof ServerInfo>;

export const WorkerHealth = z.object({ status: z.enum(["healthy", "starting", "unhealthy"]), message: z.string() });
export type WorkerHealth = z.infer<typeof WorkerHealth>;

export const PluginType = z.enum(["sink", "source", "transformation", "predicate", "converter", "header_converter"]);
export type PluginType = z.infer<typeof PluginType>;

export const PluginInfo = z.object({ class: z.string(), type: PluginType, version: z.string().optional() });
export type PluginInfo = z.infer<typeof PluginInfo>;

/** GET /connectors?expand=info&expand=status */
export const ExpandedConnectors = z.record(
  z.string(),
  z.object({ info: ConnectorInfo.optional(), status: ConnectorStateInfo.optional() }),
);
export type ExpandedConnectors = z.infer<typeof ExpandedConnectors>;

/** GET /connectors/{c}/topics */
export const ActiveTopics = z.record(z.string(), z.object({ topics: z.array(z.string()) }));
export type ActiveTopics = z.infer<typeof ActiveTopics>;

export const ConfigKeyType = z.enum([
  "BOOLEAN",
  "STRING",
  "INT",
  "SHORT",
  "LONG",
  "DOUBLE",
  "LIST",
  "CLASS",
  "PASSWORD",
]);
export type ConfigKeyType = z.infer<typeof ConfigKeyType>;

/** One configuration key: GET /connector-plugins/{p}/config gives an array of these. */
export const ConfigKeyInfo = z.object({
  name: z.string(),
  type: ConfigKeyType,
  required: z.boolean(),
  default_value: z.string().nullable(),
  importance: z.enum(["HIGH", "MEDIUM", "LOW"]),
  documentation: z.string(),
  group: z.string().nullable(),
  width: z.enum(["NONE", "SHORT", "MEDIUM", "LONG"]),
  display_name: z.string(),
  dependents: z.array(z.string()),
  order_in_group: z.int(),
});
export type ConfigKeyInfo = z.infer<typeof ConfigKeyInfo>;

export const ConfigValueInfo = z.object({
  name: z.string(),
  value: z.string().nullable(),
  recommended_values: z.array(z.string()),
  errors: z.array(z.string()),
  visible: z.boolean(),
});
export type ConfigValueInfo = z.infer<typeof ConfigValueInfo>;

/** PUT /connector-plugins/{p}/config/validate */
export const ConfigInfos = z.object({
  name: z.string(),
  error_count: z.int(),
  groups: z.array(z.string()),
  /** `definition` is null for a key that nobody knows but that something is wrong with. */
  configs: z.array(z.object({ definition: ConfigKeyInfo.nullable(), value: ConfigValueInfo })),
});
export type ConfigInfos = z.infer<typeof ConfigInfos>;

/**
 * The same as any worker answers it: Java's have `value: null` for a key of which a connector's own validation tells nothing. Such a key is
 * left out.
 */
export const AnyConfigInfos = z.object({
  ...ConfigInfos.shape,
  configs: z
    .array(z.object({ definition: ConfigKeyInfo.nullable(), value: ConfigValueInfo.nullable() }))
    .transform((rows) => rows.flatMap(({ definition, value }) => (value === null ? [] : [{ definition, value }]))),
});

/** A value of a partition or offset: 64-bit integers are `bigint` where a number would lose digits. */
const OffsetValue = z.union([z.null(), z.boolean(), z.number(), z.bigint(), z.string()]);

/** One entry of GET and PATCH /connectors/{c}/offsets. A sink's are `kafka_topic`, `kafka_partition` and `kafka_offset`. */
export const ConnectorOffset = z.object({
  partition: z.record(z.string(), OffsetValue),
  /** null: forgets the partition. */
  offset: z.record(z.string(), OffsetValue).nullable(),
});
export type ConnectorOffset = z.infer<typeof ConnectorOffset>;

/** GET and PATCH /connectors/{c}/offsets (KIP-875) */
export const ConnectorOffsets = z.object({ offsets: z.array(ConnectorOffset) });
export type ConnectorOffsets = z.infer<typeof ConnectorOffsets>;

/** Answer to PATCH and DELETE /connectors/{c}/offsets. */
export const OffsetsMessage = z.object({ message: z.string() });
export type OffsetsMessage = z.infer<typeof OffsetsMessage>;
