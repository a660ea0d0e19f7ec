import { z } from "zod";
import { AutoRestart } from "./auto-restart.ts";
import { Conditions } from "./condition.ts";
import { ConfigValues } from "./config-values.ts";
import { AlterOffsets, ListOffsets, StartFrom } from "./offset-settings.ts";
import { Resources } from "./resources.ts";
import { rules } from "./rules.ts";

/** What a user asks of a connector. Strimzi's v1 shape. */
export const KafkaConnectorSpec = z
  .object({
    name: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .describe("Name of the connector in Kafka Connect. That of the resource if not given. Cannot change.")
      .meta(
        rules({
          rule: "self == self.trim() && !self.matches('[\\\\x00-\\\\x1f\\\\x7f]')",
          message: "name must not begin or end with a space nor have control characters",
        }),
      ),
    class: z
      .string()
      .min(1)
      .describe(
        "Connector plugin: a name, an alias or a Java class name from the KafkaConnect's status.connectorPlugins.",
      ),
    tasksMax: z.int().min(1).optional().describe("Number of tasks at most. Kafka Connect's 1 if not given."),
    version: z.string().min(1).optional().describe("Plugin version or version range, where several are installed."),
    config: ConfigValues.optional().describe(
      "Configuration of the connector. name, connector.class, tasks.max and connector.plugin.version come from the fields beside it.",
    ),
    state: z
      .enum(["running", "paused", "stopped"])
      .default("running")
      .describe("running: at work. paused: tasks keep what they hold, no records move. stopped: no tasks at all."),
    managementPolicy: z
      .enum(["Manage", "Observe"])
      .optional()
      .describe(
        "Manage, the default: the connector is made, or taken over, and kept as it is asked for here. Observe: nothing is changed in Kafka Connect, only the status is kept.",
      ),
    deletionPolicy: z
      .enum(["Delete", "Orphan"])
      .default("Delete")
      .describe("What becomes of the connector when this resource is deleted. Orphan leaves it running."),
    resetOffsetsOnDelete: z
      .boolean()
      .optional()
      .describe(
        "Whether the connector's offsets are deleted with it. Otherwise a connector of this name goes on there.",
      ),
    autoRestart: AutoRestart.optional().describe(
      "Restarts what has failed by itself. {}: with the defaults. Off if not given.",
    ),
    startFrom: StartFrom.optional().describe(
      "Where a new connector begins. Has no effect on a connector that exists, nor if offsets of this name exist.",
    ),
    listOffsets: ListOffsets.optional().describe(
      "Where the annotation headrace.dev/connector-offsets: list writes the offsets.",
    ),
    alterOffsets: AlterOffsets.optional().describe(
      "Where the annotation headrace.dev/connector-offsets: alter takes the offsets.",
    ),
    resources: Resources.optional().describe(
      "What the connector may use on each worker, for instance limits.memory. It then has a process of its own.",
    ),
  })
  .describe("The connector that is wanted.")
  .meta(
    rules(
      {
        rule: "has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)",
        message: "name cannot change: delete this KafkaConnector and make another one",
        fieldPath: ".name",
        reason: "FieldValueForbidden",
      },
      {
        rule: "!has(self.resetOffsetsOnDelete) || !self.resetOffsetsOnDelete || self.deletionPolicy == 'Delete'",
        message: "resetOffsetsOnDelete needs deletionPolicy: Delete, since a connector that is kept needs its offsets",
        fieldPath: ".resetOffsetsOnDelete",
      },
    ),
  );
export type KafkaConnectorSpec = z.infer<typeof KafkaConnectorSpec>;

const InstanceStatus = z.object({
  state: z.string().describe("RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED or RESTARTING."),
  worker_id: z.string().describe("Worker that it runs on."),
  trace: z.string().optional().describe("Why it failed; the beginning of the stack trace."),
  version: z.string().optional().describe("Version of the plugin that runs."),
});

const TaskStatus = z.object({ id: z.int().describe("Number of the task."), ...InstanceStatus.shape });

const OperationStatus = z.object({
  type: z.string().describe("Restart, RestartTask, ListOffsets, AlterOffsets, ResetOffsets or StartFrom."),
  request: z.string().optional().describe("Value of the annotation."),
  requestedAt: z.string().optional().describe("Value of headrace.dev/requested-at, if it was given."),
  result: z.enum(["Succeeded", "Failed"]).describe("How it ended."),
  message: z.string().optional().describe("The result as a sentence."),
  finishedAt: z.string().describe("When it ended (RFC 3339)."),
  snapshot: z.string().optional().describe("ConfigMap with the offsets from before."),
});

const OffsetsSummary = z.object({
  group: z.string().optional().describe("Consumer group of a sink."),
  partitions: z.int().describe("Number of partitions with an offset."),
  lag: z
    .int()
    .optional()
    .describe(
      "Records that a sink has not committed yet, over all partitions. Not told with runtime: Jvm, whose metrics have it.",
    ),
  maxLag: z.int().optional().describe("The most of them in one partition."),
  entries: z
    .array(
      z.object({
        partition: z.string().describe("The partition, as JSON; topic and number of a sink's."),
        offset: z.string().describe("The offset, as JSON; a number of a sink's."),
        lag: z.int().optional().describe("Records behind the end of the partition."),
      }),
    )
    .meta({ "x-kubernetes-list-type": "atomic" })
    .optional()
    .describe("Some of them, those with the most lag first; at most 10."),
  observedAt: z.string().describe("When they were looked at (RFC 3339)."),
});

/** What the operator has seen of a connector. */
export const KafkaConnectorStatus = z
  .object({
    conditions: Conditions.optional(),
    observedGeneration: z.int().optional().describe("The generation of spec that this status is about."),
    connectorStatus: z
      .object({
        name: z.string().describe("Name of the connector."),
        connector: InstanceStatus.describe("The connector itself."),
        tasks: z.array(TaskStatus).meta({ "x-kubernetes-list-type": "atomic" }).describe("Its tasks."),
        type: z.string().describe("source or sink."),
      })
      .optional()
      .describe("What the workers report, as of Kafka Connect's GET /connectors/{name}/status."),
    autoRestart: z
      .object({
        count: z.int().optional().describe("Restarts in a row, of what was restarted most often."),
        connectorName: z.string().optional().describe("The connector that was restarted."),
        lastRestartTimestamp: z.string().optional().describe("When the last one was (RFC 3339)."),
        tasks: z
          .array(
            z.object({
              id: z.int().describe("Number of the task; -1 is the connector itself."),
              count: z.int().describe("Its restarts in a row."),
            }),
          )
          .meta({ "x-kubernetes-list-type": "atomic" })
          .optional()
          .describe("Restarts in a row by task, the most first; at most 50."),
      })
      .optional()
      .describe("What the automatic restarts have done."),
    tasksMax: z.int().optional().describe("spec.tasksMax, or else the number of tasks."),
    tasks: z.string().optional().describe("Tasks in the wanted state out of those expected, for instance 2/3."),
    topics: z.array(z.string()).optional().describe("Topics that the connector has used."),
    labelSelector: z.string().optional().describe("Selects the worker pods of the cluster, for autoscalers."),
    connectCluster: z
      .object({
        name: z.string().describe("Name of the KafkaConnect."),
        namespace: z.string().optional().describe("Namespace of the KafkaConnect, if it is another one."),
        uid: z.string().describe("Identity of the KafkaConnect."),
        groupId: z.string().optional().describe("Its Connect group."),
        configStorageTopic: z.string().optional().describe("Its topic of configurations, which holds the connector."),
      })
      .optional()
      .describe(
        "The KafkaConnect on which the operator made or adopted the connector. Only there it is deleted with this resource.",
      ),
    operations: z
      .array(OperationStatus)
      .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] })
      .optional()
      .describe("How the last request of each kind, made by an annotation, has ended."),
    offsets: OffsetsSummary.optional().describe("How far the connector has come, looked at now and then."),
    startFrom: z
      .enum(["Pending", "Done", "Skipped"])
      .optional()
      .describe("Whether spec.startFrom has been obeyed. Skipped: the connector, or offsets of its name, existed."),
    configSources: z
      .string()
      .optional()
      .describe("Stands for the versions of the Secrets and ConfigMaps that the connector has read."),
  })
  .describe("The connector as it is.");
export type KafkaConnectorStatus = z.infer<typeof KafkaConnectorStatus>;

/** A KafkaConnector resource, for instance as read from a YAML file. */
export const KafkaConnector = z.object({
  apiVersion: z.string(),
  kind: z.literal("KafkaConnector"),
  metadata: z.looseObject({ name: z.string() }),
  spec: KafkaConnectorSpec,
  status: KafkaConnectorStatus.optional(),
});
export type KafkaConnector = z.infer<typeof KafkaConnector>;
